CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counters VALUES ('next_id', 1), ('logs', 0), ('settings', 0), ('accounts', 0), ('audit', 0),
                            ('last_import', 0), ('deletions', 0), ('enrichment', 0), ('recent_from', 0);

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('admin', 'viewer')),
    password_generated INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    password_changed_at INTEGER NOT NULL
) STRICT;
CREATE TABLE tokens (
    jti TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    family TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('access', 'refresh', 'session')),
    expires_at INTEGER NOT NULL,
    spent_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_family ON tokens (family);
CREATE INDEX tokens_user ON tokens (user_id);
CREATE INDEX tokens_expiry ON tokens (expires_at);
CREATE TABLE login_failures (id INTEGER PRIMARY KEY, address TEXT NOT NULL, failed_at INTEGER NOT NULL) STRICT;
CREATE INDEX login_failures_address ON login_failures (address, failed_at);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    username TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    details TEXT NOT NULL,
    source_ip TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log
BEGIN SELECT raise(ABORT, 'the audit log is only appended to'); END;
CREATE TRIGGER audit_log_is_not_deleted BEFORE DELETE ON audit_log
BEGIN SELECT raise(ABORT, 'the audit log is only appended to'); END;
CREATE TABLE audit_head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    entries INTEGER NOT NULL,
    hash BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT;

CREATE TABLE domain_blacklist (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    domain TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    added_at INTEGER NOT NULL
) STRICT;
CREATE TABLE ip_blacklist (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    network TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    added_at INTEGER NOT NULL
) STRICT;
CREATE TABLE waf_categories_off (name TEXT PRIMARY KEY, changed_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE clients (id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE domains (id INTEGER PRIMARY KEY, domain TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE services (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE hosts (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL UNIQUE,
    is_address INTEGER NOT NULL,
    domain_id INTEGER NOT NULL REFERENCES domains (id),
    service_id INTEGER NOT NULL REFERENCES services (id)
) STRICT;
CREATE INDEX hosts_service ON hosts (service_id) WHERE service_id > 0;
CREATE TABLE sites (
    id INTEGER PRIMARY KEY,
    prefix TEXT NOT NULL UNIQUE,
    host_id INTEGER NOT NULL REFERENCES hosts (id)
) STRICT;
CREATE INDEX sites_host ON sites (host_id);
CREATE TABLE result_kinds (
    id INTEGER PRIMARY KEY,
    method TEXT NOT NULL,
    result_code TEXT NOT NULL,
    status_code INTEGER NOT NULL,
    hierarchy_code TEXT NOT NULL,
    content_type TEXT NOT NULL,
    origin_status INTEGER NOT NULL,
    error_code TEXT NOT NULL,
    bump_mode TEXT NOT NULL,
    reason TEXT NOT NULL,
    status TEXT NOT NULL,
    blocked INTEGER NOT NULL,
    cache TEXT NOT NULL,
    opaque INTEGER NOT NULL,
    UNIQUE (method, result_code, status_code, hierarchy_code, content_type, origin_status, error_code, bump_mode,
            reason)
) STRICT;
CREATE TABLE peers (id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE users_seen (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE user_agents (
    id INTEGER PRIMARY KEY,
    agent TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    system TEXT NOT NULL,
    device TEXT NOT NULL,
    service_type TEXT NOT NULL
) STRICT;
CREATE TABLE extensions (id INTEGER PRIMARY KEY, extension TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE waf_verdicts (
    id INTEGER PRIMARY KEY,
    score INTEGER NOT NULL,
    categories TEXT NOT NULL,
    rules TEXT NOT NULL,
    UNIQUE (score, categories, rules)
) STRICT;
INSERT INTO peers VALUES (0, '');
INSERT INTO users_seen VALUES (0, '');
INSERT INTO user_agents VALUES (0, '', '', '', '', '');
INSERT INTO extensions VALUES (0, '');
INSERT INTO services VALUES (0, '');
INSERT INTO waf_verdicts VALUES (0, -1, '', '');

CREATE TABLE proxy_logs (
    id INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    elapsed_ms INTEGER NOT NULL,
    client_id INTEGER NOT NULL,
    kind_id INTEGER NOT NULL,
    site_id INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    peer_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    rest TEXT NOT NULL,
    agent_id INTEGER NOT NULL DEFAULT 0,
    bytes_in INTEGER NOT NULL DEFAULT 0,
    waf_id INTEGER NOT NULL DEFAULT 0,
    referer TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE log_zones (
    zone INTEGER PRIMARY KEY,
    rows INTEGER NOT NULL,
    min_ms INTEGER NOT NULL,
    max_ms INTEGER NOT NULL,
    min_bytes INTEGER NOT NULL,
    max_bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX log_zones_min_ms ON log_zones (min_ms, max_ms, rows);
CREATE INDEX log_zones_max_ms ON log_zones (max_ms, min_ms, rows);

CREATE TABLE client_postings (id INTEGER PRIMARY KEY, offsets BLOB NOT NULL, hosts BLOB NOT NULL) STRICT;
CREATE TABLE host_postings (id INTEGER PRIMARY KEY, offsets BLOB NOT NULL) STRICT;
CREATE TABLE kind_postings (id INTEGER PRIMARY KEY, offsets BLOB NOT NULL) STRICT;
CREATE TABLE user_postings (id INTEGER PRIMARY KEY, offsets BLOB NOT NULL) STRICT;

CREATE TABLE five_minute_requests (
    five_minutes INTEGER PRIMARY KEY,
    requests INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL
) STRICT;
CREATE TABLE hourly_requests (
    hour INTEGER PRIMARY KEY,
    requests INTEGER NOT NULL,
    policy INTEGER NOT NULL,
    waf INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    terminated INTEGER NOT NULL,
    auth INTEGER NOT NULL,
    ip_blocks INTEGER NOT NULL,
    ip_passed INTEGER NOT NULL,
    opaque INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    misses INTEGER NOT NULL,
    hit_bytes INTEGER NOT NULL,
    miss_bytes INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL
) STRICT;
CREATE TABLE daily_clients (
    day INTEGER NOT NULL,
    client_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (day, client_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE hourly_clients (
    hour INTEGER NOT NULL,
    client_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (hour, client_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE daily_kinds (
    day INTEGER NOT NULL,
    kind_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (day, kind_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE hourly_kinds (
    hour INTEGER NOT NULL,
    kind_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (hour, kind_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE daily_extensions (
    day INTEGER NOT NULL,
    extension_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (day, extension_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE hourly_extensions (
    hour INTEGER NOT NULL,
    extension_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (hour, extension_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE daily_agents (
    day INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (day, agent_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE hourly_agents (
    hour INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (hour, agent_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE daily_waf_verdicts (
    day INTEGER NOT NULL,
    waf_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    entropy INTEGER NOT NULL,
    high_entropy INTEGER NOT NULL,
    PRIMARY KEY (day, waf_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE hourly_waf_verdicts (
    hour INTEGER NOT NULL,
    waf_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    entropy INTEGER NOT NULL,
    high_entropy INTEGER NOT NULL,
    PRIMARY KEY (hour, waf_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE daily_waf_blocks (
    day INTEGER NOT NULL,
    host_id INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    waf_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (day, host_id, agent_id, waf_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE hourly_waf_blocks (
    hour INTEGER NOT NULL,
    host_id INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    waf_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (hour, host_id, agent_id, waf_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE daily_hosts (
    day INTEGER NOT NULL,
    host_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (day, host_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE hourly_hosts (
    hour INTEGER NOT NULL,
    host_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (hour, host_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE daily_services (
    day INTEGER NOT NULL,
    service_id INTEGER NOT NULL,
    client_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (day, service_id, client_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE hourly_services (
    hour INTEGER NOT NULL,
    service_id INTEGER NOT NULL,
    client_id INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (hour, service_id, client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE first_seen (
    subject TEXT NOT NULL CHECK (subject IN ('domain', 'service', 'client')),
    subject_id INTEGER NOT NULL,
    of_client_id INTEGER NOT NULL,
    client_id INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    PRIMARY KEY (subject, subject_id, of_client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX first_seen_newest ON first_seen (subject, of_client_id, first_ms);
CREATE TABLE url_counts (
    window TEXT PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    counted_at INTEGER NOT NULL,
    figures TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE service_statuses (
    name TEXT PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('approved', 'not approved', 'under review')),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    first_size INTEGER NOT NULL,
    first_crc INTEGER NOT NULL,
    position INTEGER NOT NULL,
    tail_crc INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    followed INTEGER NOT NULL,
    read_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sources_first ON sources (first_size, first_crc);
CREATE TABLE source_marks (
    source_id INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    chunk INTEGER NOT NULL,
    crcs BLOB NOT NULL,
    PRIMARY KEY (source_id, chunk)
) STRICT, WITHOUT ROWID;
CREATE TABLE rejected_counts (reason TEXT PRIMARY KEY, lines INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE rejected_lines (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    position INTEGER NOT NULL,
    reason TEXT NOT NULL,
    line TEXT NOT NULL,
    rejected_at INTEGER NOT NULL
) STRICT;

CREATE VIEW proxy_log_entries AS
SELECT l.id,
       strftime('%Y-%m-%d %H:%M:%S', l.time_ms / 1000, 'unixepoch') AS timestamp,
       c.address AS client_ip,
       k.method,
       s.prefix || l.rest AS destination,
       k.status,
       k.status_code,
       k.result_code,
       k.blocked,
       nullif(k.reason, '') AS reason,
       h.host AS domain,
       l.bytes,
       l.bytes_in,
       l.elapsed_ms,
       nullif(u.name, '') AS user,
       k.hierarchy_code,
       nullif(p.address, '') AS peer,
       nullif(k.content_type, '') AS content_type,
       nullif(a.agent, '') AS user_agent,
       nullif(l.referer, '') AS referer,
       nullif(w.score, -1) AS waf_score,
       nullif(w.categories, '') AS waf_categories
FROM proxy_logs AS l
JOIN clients AS c ON c.id = l.client_id
JOIN result_kinds AS k ON k.id = l.kind_id
JOIN sites AS s ON s.id = l.site_id
JOIN hosts AS h ON h.id = s.host_id
JOIN peers AS p ON p.id = l.peer_id
JOIN users_seen AS u ON u.id = l.user_id
JOIN user_agents AS a ON a.id = l.agent_id
JOIN waf_verdicts AS w ON w.id = l.waf_id;
