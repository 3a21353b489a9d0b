# run_health SECONDS: runs health_checks (made from the plan) until all are well or the time is
# over, and prints the last answers: health, number, ok|fail|unknown, detail.
run_health() {
    deadline=$(($(date +%s) + $1))
    scratch=$(mktemp -d) || return 1
    while :; do
        health_checks >"$scratch/answers"
        grep -Eq "^health	[0-9]+	fail" "$scratch/answers" || break
        [ "$(date +%s)" -lt "$deadline" ] || break
        sleep 1
    done
    cat "$scratch/answers"
    rm -rf "$scratch"
}

answer() { printf 'health\t%s\t%s\t%s\n' "$1" "$2" "$(printf '%s' "$3" | tail -c 300 | one_line)"; }

# check_unit NUMBER UNIT
check_unit() {
    if ! has_systemd; then
        answer "$1" unknown "no systemd on this host; use a command check"
        return
    fi
    state=$(systemctl is-active -- "$2" 2>/dev/null)
    case $state in
    active) answer "$1" ok active ;;
    *) answer "$1" fail "${state:-unknown}" ;;
    esac
}

# check_port NUMBER HEX-ADDRESSES HEX-PORT: addresses as /proc/net/tcp writes them, a regular expression
check_port() {
    if awk -v wanted="^($2):$3$" '$4 == "0A" && $2 ~ wanted { found = 1 } END { exit !found }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null; then
        answer "$1" ok listening
    else
        answer "$1" fail "nothing listens"
    fi
}

# check_command NUMBER SECONDS COMMAND
check_command() {
    timeout -k 2 "$2" sh -c "$3" </dev/null >"$scratch/out" 2>&1 3>&-
    status=$?
    case $status in
    0) answer "$1" ok "exit status 0" ;;
    124 | 137) answer "$1" fail "no end within $2 s" ;;
    *) answer "$1" fail "exit status $status: $(tail -c 300 "$scratch/out")" ;;
    esac
}

# check_file NUMBER PATH MODE OWNER SHA256 TEXT: of the last four, what is empty does not matter.
check_file() {
    if [ ! -e "$2" ]; then
        answer "$1" fail "is not there"
        return
    fi
    mode=$(stat -L -c %a -- "$2")
    owner=$(stat -L -c %U:%G -- "$2")
    wrong=
    [ -z "$3" ] || [ "$((0$mode))" = "$((0$3))" ] || wrong="mode 0$mode instead of $3"
    [ -z "$4" ] || [ "$owner" = "$4" ] || wrong="${wrong:+$wrong, }owner $owner instead of $4"
    [ -z "$5" ] || [ "$(sha256sum <"$2" 2>/dev/null | cut -d' ' -f1)" = "$5" ] ||
        wrong="${wrong:+$wrong, }another content"
    [ -z "$6" ] || grep -qF -e "$6" -- "$2" 2>/dev/null ||
        wrong="${wrong:+$wrong, }the expected text is missing"
    [ -z "$wrong" ] && answer "$1" ok "mode 0$mode, owner $owner" || answer "$1" fail "$wrong"
}

# check_http NUMBER SECONDS URL STATUS BODY: status and body as this host itself gets them.
# Certificates are not judged: the name under which a host asks itself is seldom in them.
check_http() {
    : >"$scratch/body"
    if command -v curl >/dev/null; then
        got=$(curl -ksS -m "$2" --max-filesize 4194304 -o "$scratch/body" -w '%{http_code}' -- "$3" 2>"$scratch/error")
    elif command -v wget >/dev/null; then
        wget -q -S -T "$2" -t 1 --max-redirect=0 --no-check-certificate --content-on-error \
            -O "$scratch/body" -- "$3" 2>"$scratch/error"
        got=$(sed -n 's,^ *HTTP/[0-9.]* \([0-9]*\).*,\1,p' "$scratch/error" | head -n 1)
    elif [ "${3#https:}" != "$3" ] && command -v python3 >/dev/null; then
        got=$(http_python "$2" "$3" 2>"$scratch/error")
    elif [ "${3#https:}" = "$3" ] && command -v perl >/dev/null; then
        got=$(http_perl "$2" "$3" 2>"$scratch/error")
    else
        answer "$1" unknown "nothing on this host can ask $3; install curl, or use a port or command check"
        return
    fi
    if [ "$got" != "$4" ]; then
        answer "$1" fail "status ${got:-none} instead of $4: $(head -c 300 "$scratch/error")"
    elif [ -n "$5" ] && ! grep -qF -e "$5" "$scratch/body"; then
        answer "$1" fail "status $got, but the expected text is missing"
    else
        answer "$1" ok "status $got"
    fi
}

http_python() {
    python3 -c '
import ssl, sys, urllib.error, urllib.request
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args): return None
context = ssl._create_unverified_context()
opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=context))
try:
    answer = opener.open(sys.argv[2], timeout=float(sys.argv[1]))
except urllib.error.HTTPError as error:
    answer = error
open(sys.argv[3], "wb").write(answer.read(4194304))
print(answer.getcode())' "$1" "$2" "$scratch/body"
}

# perl-base is essential on Debian, so plain HTTP can always be asked.
http_perl() {
    perl -MIO::Socket::INET -e '
my ($timeout, $url, $file) = @ARGV;
my ($host, $port, $path) = $url =~ m{^http://(\[[^\]]+\]|[^/:]+)(?::(\d+))?(/.*)?$} or die "bad URL\n";
$SIG{ALRM} = sub { die "no answer within $timeout s\n" };
alarm $timeout;
my $peer = $host; $peer =~ s/^\[|\]$//g;
my $s = IO::Socket::INET->new(PeerAddr => $peer, PeerPort => $port || 80) or die "$@\n";
print $s "GET ", ($path || "/"), " HTTP/1.0\r\nHost: $host\r\nConnection: close\r\n\r\n";
local $/; my $answer = substr(<$s> // "", 0, 4194304);
my ($head, $body) = split /\r?\n\r?\n/, $answer, 2;
open my $out, ">", $file or die; print $out $body // "";
print $head =~ m{^HTTP/\S+ (\d+)} ? $1 : "";' "$1" "$2" "$scratch/body"
}
