# For each package in the output of apt-cache policy: P name candidate installed sources, with a
# line N for each newer version; sources are numbers into the lines S. Three lines come before:
# - the newer versions as apt takes them, beginning with yes where one is phased or foreign;
# - the archives, separated by tabs, as apt-get indextargets lists them;
# - the package lists that have the newer versions, as awk takes them: archive=NUMBER FILE.
#
# The archives are those that apt names in a version table and whose package list and release file
# have the names that apt gives them, among $lists, each after its size; none where that leaves a
# list over. Packages among $probes are there for their archives alone. The lists are left out
# where there is more in them than apt takes time to find what it wants.
reduce_policy='
  BEGIN { for (i = split(lists, word, " "); i > 1; i -= 2) {
      file = word[i]
      sub(/.*\//, "", file)
      path[file] = word[i]
      size[file] = word[i - 1]
      if (file ~ /_Packages/) unnamed[file] } }
  function flush(   i) {
    if (name == "" || index(probes " ", " " name (name ~ /:/ ? " " : ":" native " "))) return
    row[++rows] = "P\t" name "\t" candidate "\t" installed "\t" other
    for (i = 1; i <= newer; i++) {
      row[++rows] = "N\t" name "\t" version[i] "\t" phased[i] "\t" from[i]
      offers = offers " " name "=" version[i]
      if (name ~ /:/ || phased[i] != "") asked = "yes"
      split(from[i], source, " ")
      wanted[source[1]]
      if (name ~ /:/ || (name, version[i]) in offered) unlike = 1
      offered[name, version[i]] }
  }
  # Its first lines say all, in most.
  function release(file,   line, key, said, value) {
    while (said < 4 && (getline line <file) > 0)
      if (match(tolower(line), /^(origin|suite|codename|label):/)) {
        key = toupper(substr(line, 1, 1))
        value[key] = substr(line, RLENGTH + 1)
        gsub(/^[ \t]+|[ \t\r]+$/, "", value[key])
        said++ }
    close(file)
    return "     release o=" value["O"] ",a=" value["S"] ",n=" value["C"] ",l=" value["L"]
  }
  # Nothing for an archive whose files are not called as most are: apt can tell of it.
  function archive(number,   word, part, file, list) {
    if (split(text[number], word, " ") != 4 || split(word[2], part, "/") != 2) return ""
    file = word[1]
    sub(/^[a-z+]*:\/\//, "", file)
    gsub("/", "_", file)
    file = file "_dists_" part[1] "_"
    list = file part[2] "_binary-" word[3] "_Packages"
    file = file ((file "InRelease" in size) ? "InRelease" : "Release")
    if (!(list in size && file in size)) return ""
    if (word[3] == native) list_of[number] = list
    delete unnamed[list]
    return "\t 500 " text[number] "\t" release(path[file]) ",c=" part[2]
  }
  /^[^ ]/ { flush(); name = substr($1, 1, length($1) - 1)
    candidate = installed = other = ""; newer = 0; where = "newer"; next }
  /^  Candidate: / { candidate = $2; next }
  /^ \*\*\* / { where = "installed"; next }
  /^     [^ ]/ { if (where == "newer") { newer++; version[newer] = $1; from[newer] = ""
      phased[newer] = match($0, /phased [0-9]+%/) ? substr($0, RSTART + 7, RLENGTH - 8) : "" }
    else where = "older"; next }
  /^       +-?[0-9]+ / { line = $0; sub(/^ +-?[0-9]+ /, "", line)
    if (!(line in known)) { known[line] = ++sources; text[sources] = line }
    if (where == "newer") from[newer] = from[newer] " " known[line]
    else if (where == "installed") installed = installed " " known[line]
    if (where != "installed" && index(other " ", " " known[line] " ") == 0) other = other " " known[line]; next }
  END { flush()
    print "offers " asked offers
    for (i = 1; i <= sources; i++) archives = archives archive(i)
    for (left in unnamed) archives = ""
    print "archives" archives
    for (i in wanted) {
      if (!(i in list_of) || (total += size[list_of[i]]) > 5000000) unlike = 1
      else from_lists = from_lists " archive=" i " " path[list_of[i]] }
    print "lists" (unlike ? "" : from_lists)
    for (i = 1; i <= rows; i++) print row[i]
    for (i = 1; i <= sources; i++) printf "S\t%d\t%s\n", i, text[i] }'
# After the lines of all packages: what is of use of each version in the output of apt-cache show.
# Or after them and the lines N: the same of these versions from package lists, which fails with 2
# where not each is found once. Else it succeeds where a version depends on a name that no package
# of the native architecture has or provides.
describe='
  function bare(name) { sub(/[ :(].*/, "", name); return name }
  function tell(line,   groups, group, count, names, i, j, met) {
    if (line ~ /^(Package|Version|Architecture|Source|Depends|Pre-Depends|Breaks|Conflicts|Provides|Replaces|Essential|Filename|Size|Installed-Size|SHA256|Phased-Update-Percentage): /)
      print line
    if (!sub(/^(Pre-)?Depends: /, "", line)) return
    groups = split(line, group, / *, */)
    for (i = 1; i <= groups; i++) {
      met = 0
      count = split(group[i], names, / *[|] */)
      for (j = 1; j <= count; j++) if (bare(names[j]) in have) met = 1
      if (!met) missing = 1 }
  }
  FNR != NR {
    # To ask for a field would split every record.
    if (!(substr($0, 1, index($0, "\n") - 1) in named)) next
    version = ""
    for (i = 2; i <= NF; i++) if ($i ~ /^Version: /) version = substr($i, 10)
    key = archive " " substr($1, 10) " " version
    if (!(key in wanted)) next
    if (wanted[key]++) twice = 1; else found++
    for (i = 1; i <= NF; i++) tell($i)
    print ""
    next
  }
  NF == 9 { if (($2 == native || $2 == "all") && $7 != "config-files" && $7 != "not-installed") {
      count = split($1 ", " $9, names, /, */)
      for (i = 1; i <= count; i++) have[bare(names[i])] }
    next }
  /^[PNS]\t/ { if ($1 == "N") {
      split($5, source, " ")
      wanted[source[1] " " $2 " " $3] = 0
      named["Package: " $2]
      versions++ }
    next }
  $0 == "" { print ""; next }
  { tell($0) }
  END { if (found < versions || twice) exit 2
    exit !missing }'
