import { mkdir, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'

const READ_BYTES = 1_048_576

/** An unlinked file: it disappears with the process that has it open, however that ends. */
export interface Spool {
  write(bytes: Uint8Array): Promise<void>
  read(): AsyncGenerator<Uint8Array>
  close(): Promise<void>
}

export async function openSpool(directory: string): Promise<Spool> {
  await mkdir(directory, { recursive: true })
  const path = join(directory, `backup-${crypto.randomUUID()}`)
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  let size = 0
  return {
    async write(bytes) {
      for (let from = 0; from < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, from, bytes.length - from, size)
        from += bytesWritten
        size += bytesWritten
      }
    },
    async *read() {
      for (let at = 0; at < size; ) {
        const { bytesRead, buffer } = await file.read(new Uint8Array(READ_BYTES), 0, READ_BYTES, at)
        if (bytesRead === 0) return
        yield buffer.subarray(0, bytesRead)
        at += bytesRead
      }
    },
    close: () => file.close(),
  }
}
