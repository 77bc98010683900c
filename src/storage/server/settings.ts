/**
 * For a small machine shared with Weir. The page cache (`shared_buffers`) holds an hour of minute rollups for some thousands of
 * streams, which the home page reads. If it is too small, hundreds of megabytes a second are read from files.
 */
const SETTINGS: Readonly<Record<string, string | number>> = {
  // No port, only a socket in its own directory. Relative, because the full path may be too long for a socket.
  listen_addresses: '',
  unix_socket_directories: '.',
  unix_socket_permissions: '0600',
  port: 5432,
  password_encryption: 'scram-sha-256',
  // Weir's pool, and some for psql.
  max_connections: 20,
  shared_buffers: '64MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  huge_pages: 'off',
  // Not /dev/shm: containers may lack it, and logind deletes a user's files there on logout. macOS allows too little of it.
  dynamic_shared_memory_type: process.platform === 'linux' ? 'sysv' : 'posix',
  jit: 'off',
  io_method: 'sync',
  max_worker_processes: 2,
  max_parallel_workers_per_gather: 0,
  max_parallel_maintenance_workers: 0,
  autovacuum: 'on',
  autovacuum_max_workers: 2,
  // What is acknowledged is on disk.
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  // There are no replicas.
  wal_level: 'minimal',
  max_wal_senders: 0,
  wal_buffers: '1MB',
  min_wal_size: '32MB',
  max_wal_size: '256MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Weir reports failed statements itself; they may contain secrets.
  log_destination: 'stderr',
  logging_collector: 'off',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  log_line_prefix: '',
}

/** The server's command-line arguments. */
export const SERVER_ARGS: readonly string[] = Object.entries(SETTINGS).flatMap(([name, value]) => [
  '-c',
  `${name}=${value}`,
])
