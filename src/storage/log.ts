/** Hears what the database does of its own accord; left out, nobody does. */
export interface StorageLog {
  info(message: string): void
  warn(message: string): void
}

export const SILENT_LOG: StorageLog = { info: () => {}, warn: () => {} }
