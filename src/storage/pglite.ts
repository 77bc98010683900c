import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { NodeFS } from '@electric-sql/pglite/nodefs'
import { drizzle } from 'drizzle-orm/pglite'
import * as schema from '../../drizzle/schema.ts'
import { packageHome } from '../files.ts'
import type { Database } from './storage.ts'

/** Opens a database that an earlier version stored with PGlite. It isn't locked: the caller holds the directory's lock. */
export async function openPglite(directory: string): Promise<{ db: Database; close(): Promise<void> }> {
  const file = (name: string) => Bun.file(join(packageHome('@electric-sql/pglite'), 'dist', name))
  const pglite = await PGlite.create({
    fs: new NodeFS(directory),
    // PGlite expects these files next to its own code; the executable has everything in one file.
    fsBundle: file('pglite.data'),
    pgliteWasmModule: await WebAssembly.compile(await file('pglite.wasm').arrayBuffer()),
  })
  return {
    db: drizzle(pglite, { schema, casing: 'snake_case' }) as unknown as Database,
    close: () => pglite.close(),
  }
}
