/**
 * For a small machine that it shares with Weir. The page cache holds an hour of the minute sums of some thousands of
 * streams, which the first page reads: where it doesn't, pages are read from files hundreds of megabytes a second.
 */
const SETTINGS: Readonly<Record<string, string | number>> = {
  // Where only its owner gets: there is no port. The path is of its directory, which may be longer than one may be.
  listen_addresses: '',
  unix_socket_directories: '.',
  unix_socket_permissions: '0600',
  port: 5432,
  password_encryption: 'scram-sha-256',
  // Weir's pool, and some for whoever looks into it.
  max_connections: 20,
  shared_buffers: '64MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  huge_pages: 'off',
  jit: 'off',
  io_method: 'sync',
  max_worker_processes: 2,
  max_parallel_workers_per_gather: 0,
  max_parallel_maintenance_workers: 0,
  autovacuum: 'on',
  autovacuum_max_workers: 2,
  // What is acknowledged is on the disk.
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  // Nobody follows it.
  wal_level: 'minimal',
  max_wal_senders: 0,
  wal_buffers: '1MB',
  min_wal_size: '32MB',
  max_wal_size: '256MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Statements that fail are Weir's to report, and have secrets in them.
  log_destination: 'stderr',
  logging_collector: 'off',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  log_line_prefix: '',
}

/** As arguments of the server. */
export const SERVER_ARGS: readonly string[] = Object.entries(SETTINGS).flatMap(([name, value]) => [
  '-c',
  `${name}=${value}`,
])
