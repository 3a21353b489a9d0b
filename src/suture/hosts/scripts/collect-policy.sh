# For each package in the output of apt-cache policy: P name candidate installed sources, with a
# line N for each newer version; sources are numbers into the lines S. Two lines come before: one of
# the newer versions as apt takes them, which begins with yes where one is phased or foreign; and
# the archives, separated by tabs, as apt-get indextargets lists them.
#
# The archives are those that apt names in a version table and whose package list and release file
# have the names that apt would give them; none where that leaves any of $lists. Packages among
# $probes are there for their archives alone.
reduce_policy='
  BEGIN { for (i = split(lists, list, " "); i > 0; i--)
      if (list[i] ~ /_Packages/) unnamed[list[i]]; else releases[list[i]] }
  function flush(   i) {
    if (name == "" || index(probes " ", " " name (name ~ /:/ ? " " : ":" native " "))) return
    row[++rows] = "P\t" name "\t" candidate "\t" installed "\t" other
    for (i = 1; i <= newer; i++) {
      row[++rows] = "N\t" name "\t" version[i] "\t" phased[i] "\t" from[i]
      offers = offers " " name "=" version[i]
      if (name ~ /:/ || phased[i] != "") asked = "yes" }
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
  function archive(source,   word, part, file, list) {
    if (split(source, word, " ") != 4 || split(word[2], part, "/") != 2) return ""
    file = word[1]
    sub(/^[a-z+]*:\/\//, "", file)
    gsub("/", "_", file)
    file = "/var/lib/apt/lists/" file "_dists_" part[1] "_"
    list = file part[2] "_binary-" word[3] "_Packages"
    file = file ((file "InRelease" in releases) ? "InRelease" : "Release")
    if (!(list in unnamed && file in releases)) return ""
    delete unnamed[list]
    return "\t 500 " source "\t" release(file) ",c=" part[2]
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
    for (i = 1; i <= sources; i++) archives = archives archive(text[i])
    for (left in unnamed) archives = ""
    print "archives" archives
    for (i = 1; i <= rows; i++) print row[i]
    for (i = 1; i <= sources; i++) printf "S\t%d\t%s\n", i, text[i] }'
# Of the output of apt-cache show after the lines of all packages: what is of use of each version.
# Succeeds where one depends on a name that no package of the native architecture has or provides.
describe='
  function bare(name) { sub(/[ :(].*/, "", name); return name }
  NF == 9 { if (($2 == native || $2 == "all") && $7 != "config-files" && $7 != "not-installed") {
      count = split($1 ", " $9, names, /, */)
      for (i = 1; i <= count; i++) have[bare(names[i])] }
    next }
  /^$/ { print ""; next }
  /^(Package|Version|Architecture|Source|Depends|Pre-Depends|Breaks|Conflicts|Provides|Replaces|Essential|Filename|Size|Installed-Size|SHA256|Phased-Update-Percentage): /
  /^(Pre-)?Depends: / { sub(/^[^ ]* /, ""); groups = split($0, group, / *, */)
    for (i = 1; i <= groups; i++) { met = 0; count = split(group[i], names, / *[|] */)
      for (j = 1; j <= count; j++) if (bare(names[j]) in have) met = 1
      if (!met) missing = 1 } }
  END { exit !missing }'
