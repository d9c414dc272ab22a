// What the keys of the configuration mean, for docs/configuration.md. Data.

export const HEAD = `# Configuration

One YAML file for each daemon, \`/etc/agent/server.yaml\` and \`/etc/agent/client.yaml\`.
Relative paths are relative to the file, sizes are written \`64MiB\`, durations \`5s\`, \`10m\`,
\`2h\` or \`30d\`. \`agent config check FILE\` names every problem with its line;
\`systemctl reload\` takes what says _reload_ below, and warns of what has to wait for a restart.
Jobs that run keep what they began with.

This page is made by \`scripts/documents.ts write\` from the schemas that check the files.
`;

const CRON = "Five fields of cron, or @hourly, @daily, @weekly, @monthly, @yearly.";
const ZONE = "Time zone of the expression, as in Europe/Berlin.";
const LATE = "Whether a run that was missed is made up for.";
const COMMAND = "A program and its arguments; no shell reads them.";
const TIMEOUT = "After it the program is ended, with all that it started; 5m without it.";
const FAILURE = "Whether its failure fails the job or is a warning.";

/** By place and key, as the tables of the reference have them. */
export const TEXTS: Readonly<Record<string, string>> = {
  name: "Of this host, in its certificate, in groups and in the names of backups.",
  network: "Where others reach this daemon.",
  control: "Where commands reach it: `unix:PATH`, or `http://HOST:PORT` with `control_token`.",
  control_token: "File with the token of an http endpoint.",
  tls: "Mutual TLS 1.3; without it only loopback is listened on and talked to.",
  stgs: "Storage transport groups: the shared volumes that carry the data.",
  jobs: "How many jobs run at once.",
  vault: "Directory of the backups.",
  clients: "Whom this server backs up.",
  retention: "How many backups are kept; everything without it. `forever` keeps everything.",
  schedules: "What the daemon starts by itself.",
  server: "Whom this client is backed up by.",
  databases: "What `agent backup database NAME` can back up.",
  state: "Directory for what must survive a restart; `/var/lib/agent` without it.",
  wal_socket: "A second socket, for the user of a database who archives its log.",
  spool: "Directory for database snapshots; `/var/tmp` without it.",
  compression: "Of what this client sends.",
  hooks: "Programs that run before and after each backup.",
  encryption: "For whom backups and logs are encrypted before they leave this host.",
  allow_backup: "Directories that may be backed up; all without it.",
  allow_restore: "`true`, `false`, or directories that restores may go to; `true` without it.",
  allow_overwrite: "`false`: a restore replaces and deletes nothing that is there.",
  audit:
    "File with who did what, JSON lines (FILE.strangers: what strangers tried); a server has " +
    "one in its vault without it.",
  "network.listen": "Address that is listened on; 127.0.0.1 without it.",
  "network.port": "Well-known port. A client listens on the next one too.",
  "network.dynamic": "Ports that a database job may use, as in 49152-65535, for firewalls.",
  "tls.ca": "Certificate of the CA, that both ends trust.",
  "tls.cert": "Certificate of this host, from `agent pki issue`; it carries `name`.",
  "tls.key": "Its key, mode 0600 or 0640.",
  "tls.revoked": "List of revoked serials and names, read at each handshake.",
  "stgs[]": "A reload does not take them: a host number is held as long as the daemon runs.",
  "stgs[].name": "The same on all hosts.",
  "stgs[].host": "This host's number in the group; no two hosts have the same.",
  "stgs[].array": "Directory of an emulated array; without it `volumes` are block devices.",
  "stgs[].volumes": "In the same order on all hosts; paths below /dev/disk/by-id are best.",
  "stgs[].heartbeat": "Between two signs of life on the storage; 1s without it.",
  "stgs[].dead_time": "Without a sign for so long a host is dead; 10s without it. More than " +
    "twice what a failover of paths takes.",
  "stgs[].encrypt":
    "`true`: what jobs send through the group is encrypted on the volumes, or the " +
    "group is not used. One host that says so is enough.",
  "jobs.max_running": "Jobs that this daemon starts at once; others wait.",
  "jobs.max_queued": "Jobs that may wait.",
  "clients.*": "By the client's name.",
  "clients.*.address": "Where its agent listens.",
  "clients.*.port": "Its `network.port`.",
  "clients.*.stg": "Group that carries its data; needed unless `channel` is `network-only`.",
  "clients.*.channel": "What a job may use; `prefer-storage` falls back to the network.",
  "clients.*.wait": "How long the storage may take before the fallback; 5s without it.",
  "clients.*.connections": "Network connections of a job, as in the client's file.",
  "clients.*.full_every": "30d, or 7 for every seventh backup: how often one is full.",
  "clients.*.exclude": "Patterns of what is left out, as those of .gitignore.",
  "clients.*.exclude_caches": "Leaves out what is beside a valid CACHEDIR.TAG.",
  "clients.*.one_file_system": "Leaves out what is mounted below the paths.",
  "clients.*.exclude_larger_than": "Leaves out larger files, as in 100M.",
  "clients.*.ignore_file": "Name of files with patterns for their own directory.",
  "clients.*.allow_backup": "What operators of the server may ask for, as in the client's file.",
  "clients.*.allow_restore": "As in the client's file.",
  "clients.*.allow_overwrite": "As in the client's file.",
  "clients.*.retention": "In place of the general one.",
  "retention.keep_last": "The newest ones.",
  "retention.keep_daily": "The newest of each of so many days.",
  "retention.keep_weekly": "Of so many ISO weeks.",
  "retention.keep_monthly": "Of so many months.",
  "retention.keep_yearly": "Of so many years.",
  "retention.keep_within": "All within this time before the newest, as in 30d.",
  "schedules.* (server, backup)": "Backups of files; `kind: backup` may be left out.",
  "schedules.* (server, expire)": "As `agent expire`.",
  "schedules.* (server, verify)": "As `agent verify`.",
  "schedules.* (server, drill)":
    "As `agent drill`, of a latest backup; without `client` and `database` each run takes the " +
    "next of all clients.",
  "schedules.* (client)": "Backups of databases.",
  "schedules.*.kind": "What is done.",
  "schedules.*.client": "Whose files; of a drill, whose latest backup.",
  "schedules.*.paths": "Which ones.",
  "schedules.*.exclude": "As in the client's entry, after it.",
  "schedules.*.exclude_caches": "As in the client's entry.",
  "schedules.*.one_file_system": "As in the client's entry.",
  "schedules.*.exclude_larger_than": "As in the client's entry.",
  "schedules.*.ignore_file": "As in the client's entry.",
  "schedules.*.full": "Each of them a full backup.",
  "schedules.*.cron": CRON,
  "schedules.*.time_zone": ZONE,
  "schedules.*.catch_up": LATE,
  "schedules.*.data": "Also decompresses and compares all data.",
  "schedules.*.parts": "Each run looks at the next of so many parts of the vault.",
  "schedules.*.database": "Name below `databases`, of the client.",
  "schedules.*.sample": "So many entries, or such a share of them as `5%`, or `all`.",
  "schedules.*.scratch": "Directory to restore to; `drill` in the vault without it.",
  "schedules.*.identity_file":
    "File, mode 0600, with the key that decrypts; without it what is encrypted is proved as it is.",
  "server.name": "Its name, which its certificate must carry; needed with `tls`.",
  "server.address": "Where it listens.",
  "server.port": "Its `network.port`.",
  "server.connections": "Network connections of a job, as in the server's file.",
  "databases.*": "By the database's name; `kind` is `sqlite`, `postgresql` or `command`.",
  "databases.*.path (sqlite)": "The database's file.",
  "databases.*.data (postgresql)": "Data directory of the cluster.",
  "databases.*.socket (postgresql)": "Directory of its socket; /var/run/postgresql without it.",
  "databases.*.port (postgresql)": "In the socket's name.",
  "databases.*.user (postgresql)": "The server's user, who may connect for replication.",
  "databases.*.backup (command)": `${COMMAND} Its standard output is the backup.`,
  "databases.*.restore (command)": `${COMMAND} It gets the backup on its standard input.`,
  "databases.*.through (command)":
    "Standard output and input, or named pipes that the agent makes.",
  "databases.*.streams (command)": "Parallel streams, each over a storage connection of its own.",
  "databases.*.pipe_owner (command)":
    "The user whose programs open the pipes; the agent is root then.",
  "databases.*.open_within (command)":
    "How long a pipe may stay unopened while nothing moves through the others.",
  "wal_socket.path": "Of the socket.",
  "wal_socket.user": "Who may use it.",
  "compression.level": "Of zstd: higher is smaller and slower.",
  "hooks.pre.command": `${COMMAND} Runs before anything is read.`,
  "hooks.pre.timeout": TIMEOUT,
  "hooks.pre.on_failure": FAILURE,
  "hooks.post.command": `${COMMAND} Runs after the end, whatever it was.`,
  "hooks.post.timeout": TIMEOUT,
  "hooks.post.on_failure": FAILURE,
  "encryption.recipients": "Public keys of age; the holder of any of the secret ones can restore.",
  "encryption.recipients_file": "File with more, one on a line.",
  "encryption.identity_file": "File with secret keys, for restores; need not be there before.",
};
