/** Receives what the embedded database reports on its own, such as a restart. */
export interface StorageLog {
  info(message: string): void
  warn(message: string): void
}

export const SILENT_LOG: StorageLog = { info: () => {}, warn: () => {} }
