"""The commented policy that a person starts from. It says the defaults; a test holds it to them."""

EXAMPLE = """\
# A Suture policy. Everything here is the default: keep what you change, drop the rest.
# Durations: 30s, 10m, 2h, 1d. Shares of hosts: a count (2) or a percentage ("25%").
# Patterns match a host's name, its labels and its service: web-*, production, db.

# Which available updates are taken. All others stay in the ledger with their reason.
select:
  security_only: true        # only versions that a security archive offers
  exclude: []                # packages or sources never taken: [docker-*, mariadb]
  min_age_days: 0            # leave a new version alone for so many days, unless it closes what is
                             # known to be exploited
  min_severity: low          # leave out what closes nothing of this severity or above; unknown and
                             # exploited ones are always taken
  relevant_only: false       # leave out what closes no vulnerability known on the host, microcode
                             # of other processors or for virtual machines, kernels in containers
  require_checks: false      # leave out what touches a service without any health check; else the
                             # ledger says so
  allow_dkms_kernels: true   # new kernels where modules have to be built for them (DKMS)
  allow_other_releases: false # versions that are meant for another release than the host's
  trusted_origins: []        # archives besides the distribution's own to take from
  security_origins: []       # archives besides the declared ones that count as security
  allow_new_packages: false  # whether an update may pull in a package that is not there

# Rings, in the order of the rollout. A ring takes hosts by pattern (hosts: [canary, web-1]), by
# share of the fleet, or, with neither, the rest. No share takes the whole of a service.
rings:
  - name: canary
    share: 5%
    parallel: 5              # hosts at work at once
    soak: 10m                # watch it for so long before the next ring starts
    max_failures: 0          # one more pauses the rollout
    approval: false          # true: a person has to let this ring start
                             # on_failure: as below, for this ring alone
                             # reboot_budget: as below, for this ring alone
    wait_between: 0s         # start hosts one by one, so long after the last began or ended
                             # min_verified: 90%, or the rollout pauses before the next ring;
                             # without it, more than half of a ring skipped pauses it
  - name: early
    share: 25%
    parallel: 20
    soak: 30m
  - name: broad
    parallel: 50

# What else has to be well before the next ring starts. canary compares hosts of the ring with hosts
# of later ones, before and during the soak: proc (CPU, memory, load, disks and network errors, read
# over SSH), node-exporter (the same from http://HOST:port/metrics), prometheus (queries of your
# own), or none. A fail does as on_failure says; what cannot be told pauses the rollout.
gates:
  every: 30s
  canary: none
  min_effect: 25%            # a change for the worse of so much fails
  port: 9100
  label: instance            # of Prometheus, which holds a host's name or address
  #   prometheus: http://127.0.0.1:9090
  #   queries:
  #     - {name: errors, query: 'sum by (instance) (rate(errors[1m]))', better: lower, floor: 1}
  # No alert may fire in the soak; or, instead of an Alertmanager, prometheus and query.
  #   alerts: {alertmanager: "http://127.0.0.1:9093", matchers: ['severity="critical"']}

# Hosts that do one job together. At most max_out of them (default 1) are ever out at once.
# At least quorum of them stay in whatever max_out says, and hosts with different labels of
# anti_affinity are never out at the same time.
#   web:
#     max_out: 25%
#     quorum: 3
#     anti_affinity: [rack-a, rack-b]
#     checks:
#       - {kind: http, target: "http://127.0.0.1/health", status: 200, body: ok}
services: {}

# When hosts may be worked on. A host is started only where installing, restarting or rebooting,
# and the way back fit into what is left; nothing running is ever interrupted. Without hosts, a
# window is for those that no other one names; hosts without a window may be patched at any time.
#   - name: nights
#     hosts: [production]
#     rule: FREQ=WEEKLY;BYDAY=MO,TU,WE,TH   # an RRULE that chooses days
#     start: "22:00"
#     duration: 4h
#     zone: Europe/Berlin
#     since: 2026-01-05                     # the day from which INTERVAL counts
windows: []

# When nothing is started but ways back: from begins to ends, and on each of days (holidays).
#   - name: year-end
#     begins: 2026-12-20
#     ends: 2027-01-03
#     days: [2026-10-31]
#     hosts: [shop]                         # without hosts: all
#     zone: Europe/Berlin
freezes: []

# Hosts on which known-exploited vulnerabilities are closed: where enabled, in waves of their own
# before all others, at any time or, with windows (as above, without hosts), in these as well.
emergency:
  enabled: false
  windows: []
  through_freezes: false

# Who has to agree before a ring starts, in place of its `approval` by anybody. Roles are login
# names and system groups; an approval is bound to the plan's hash, and one person's counts once.
#   roles:
#     dba: [alice, bob, "%dba"]
#   rings:
#     broad: [{role: dba, count: 2, expires: 24h}]
approvals:
  roles: {}
  rings: {}
  four_eyes: false           # true: who started a rollout cannot approve it

# What must hold before and after a patch. Kinds: unit (nginx.service), port (127.0.0.1:80),
# http (a URL, with status and body), command (run as root on the host; exit status 0 is a pass),
# file (a path, with mode: "0640", owner: root:adm, sha256, and body for text that is in it).
#   - on: production
#     kind: unit
#     target: nginx.service
#     timeout: 10s
checks: []

# Test suites of your own, run in rehearsals on the twin. Kinds: goss and command (on the twin),
# testinfra (on this machine, over SSH). path: a file or directory on this machine. goss: a program
# on this machine that is copied to the twin. python: what has pytest-testinfra, else python3.
#   - name: web
#     on: web
#     kind: goss
#     path: /etc/suture/suites/web.yaml
#     goss: /usr/local/bin/goss
#     timeout: 5m
#   - name: site
#     on: web
#     kind: testinfra
#     path: /etc/suture/suites/site
#     python: /opt/testinfra/bin/python
suites: []

# Also check what was listening before: the unit is active, the port open.
propose_checks: true

# Commands around the patching of a host, for the hosts that `on` matches. When: before (a failure
# leaves the host alone), drain (likewise), after (a failure is one of the patch), undrain (follows
# every drain, however it ended). They learn all from SUTURE_HOST, SUTURE_ADDRESS, SUTURE_SERVICE,
# SUTURE_ROLLOUT, SUTURE_RING, SUTURE_WAVE, SUTURE_PHASE, SUTURE_DIRECTION and SUTURE_OUTCOME.
#   - on: web
#     when: drain
#     run: controller                       # or host
#     command: /usr/local/bin/lb drain "$SUTURE_HOST"
#     timeout: 60s
#     environment: /etc/suture/lb.env       # NAME=value lines, for secrets; mode 600
#   - {on: web, when: undrain, command: '/usr/local/bin/lb enable "$SUTURE_HOST"'}
hooks: []

# never, if-needed or always
reboot: if-needed
reboot_budget: 10m           # until it is back under a new boot id, or its state is unknown

# A host that was changed and is not well: roll-back-host, or pause and leave it to a person. Where
# more fail than max_failures, roll-back-wave also takes back all patched hosts of that wave, and
# roll-back-all those of the whole rollout, within the limits of their services.
on_failure: roll-back-host

# Where a failed host's steps suspect source packages, at most so many are held back for all others
# while the rest goes on; more, or 0, and the failure counts against max_failures.
max_held_back: 1

# A host that does not answer is skipped, and tried again while the rollout runs. Later:
# `suture rollout catch-up`.
catch_up:
  tries: 3                   # in all
  every: 15m

concurrency:
  total: 50                  # hosts at work at once, in all rollouts and workers together
  per_jump: 10               # of these behind one jump host
  # starts_per_minute: 30    # hosts started within a minute, in all rollouts and workers together

# Packages may be brought to a host so long before it can start; nothing is installed and nothing
# counts as out for it. Half of the places of `concurrency` at most are used. Off without it.
# predownload: 6h

# What must hold before a host is planned or touched; a host that fails is left alone.
preflight:
  min_free_mb:               # MiB to be left free, besides what the patches need
    /: 200
    /boot: 50
    /var: 200
  max_clock_skew_s: 300
  lock_wait_s: 300           # wait so long for another run of the package manager
  pause_updaters: true       # pause unattended-upgrades and the like, and put them back
  max_inventory_age: 24h     # of what we know about the host
  max_indexes_age: 7d        # of the host's own package lists

# From when on a restart or reboot that is due counts among the findings of configuration.
configuration:
  max_pending: 14d

# Return bundles, which hold what the way back needs, on the host: kept for so long, in any case the
# last ones, within so much disk. A host where a new one has no room is left alone.
#   data:                      # directories at rest: what changes while it is kept needs a dump
#     - {on: app, path: /var/lib/app, max_size: 1GiB, units: [app.service]}
#   dumps:                     # command: to standard output, as root; restore and verify read it
#     - on: database
#       name: all
#       command: runuser -u postgres -- pg_dumpall --clean
#       restore: runuser -u postgres -- psql -v ON_ERROR_STOP=1 -q postgres
#       verify: tail -n 5 | grep -q 'dump complete'
#       timeout: 30m
#   snapshots:                 # of file systems: where-possible or required, for the last resort
#     - {on: vm-*, rule: where-possible}
#   snapshot_hooks:            # on this machine, with SUTURE_HOST, SUTURE_TRANSACTION, …
#     - on: vm-*
#       command: /etc/suture/vm-snapshot take      # prints an id
#       list: /etc/suture/vm-snapshot list         # has to print it, too
#       restore: /etc/suture/vm-snapshot restore   # to $SUTURE_SNAPSHOT
#       timeout: 10m
backup:
  keep: 30d
  keep_last: 2
  max_disk: 2GiB
  data: []
  dumps: []
  snapshots: []
  snapshot_hooks: []

# What is never cloned to a twin: data, secrets, and what only costs time. This list replaces the
# default one.
twin:
  exclude:
    - /var/lib/mysql
    - /var/lib/postgresql
    - /var/lib/mongodb
    - /var/lib/redis
    - /var/lib/elasticsearch
    - /var/lib/ldap
    - /var/lib/docker
    - /var/lib/containerd
    - /var/lib/libvirt/images
    - /var/lib/suture
    - /var/backups
    - /var/cache/apt/archives
    - /var/log
    - /var/mail
    - /var/spool
    - /var/tmp
    - /tmp
    - /home
    - /srv
    - /root/.ssh
    - /root/.gnupg
    - /root/.*_history
    - /etc/apt/auth.conf
    - /etc/apt/auth.conf.d
    - /etc/krb5.keytab
    - /etc/letsencrypt
    - /etc/ssh/ssh_host_*
    - /etc/ssl/private

# How long a passed rehearsal counts, such as 14d; null: until something that it rests on changes.
# Kernels and reboots are rehearsed on a virtual machine: required (a new kernel passes only where
# one booted it), if-possible, or never.
rehearsal:
  max_age: null
  real_reboot: required

# How often the way back of every host is proved on a twin (`suture drill run --due`), such as 30d.
drill:
  every: null

# Load in the rehearsal, before the patch, with it and after it was taken back. Latency, throughput,
# CPU, memory and start-up time are compared. load: a URL that the twin itself serves
# (http://127.0.0.1/), a shell command of fixed work that is run on the twin again and again,
# "checks" for the host's own first HTTP or command check, or none.
performance:
  load: none
  min_effect: 10%            # a change for the worse of so much fails the patch
  seconds: 30                # of one stretch of load; there are three to five

# How findings are ranked: log-odds of exploitation (EPSS) plus `cvss` for each point of CVSS,
# times criticality and exposure. The usual values stand for what is not known. `mitigated` is what
# remains of the score where a control is in force against the vulnerability.
weights:
  cvss: 0.35
  usual_epss: 0.01
  usual_cvss: 6.0
  least_epss: 0.00001
  mitigated: 0.3

# How long a finding may stay open, by severity, from the day on which it was first known. What is
# known to be exploited is due on CISA's date where that is earlier.
limits:
  critical: 7d
  high: 30d
  medium: 90d
  low: 180d
  unknown: 30d
"""
