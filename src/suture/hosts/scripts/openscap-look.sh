# Whether OpenSCAP is here, and which contents: $content alone where it is given, else all of
# the SCAP Security Guide's.
section os
cat /etc/os-release || cat /usr/lib/os-release
section oscap
! has oscap || oscap --version | head -n 1
section content
for file in ${content:-/usr/share/xml/scap/ssg/content/ssg-*-ds.xml}; do
  [ ! -f "$file" ] || printf '%s\n' "$file"
done
