import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageHome } from '../files.ts'

/** The embedded database's program. */
export type Engine = WebAssembly.Module

/** Compiles it on another thread, in parallel with the calling one. */
export function compileEngine(): Promise<Engine> {
  return compile('pglite.wasm')
}

/** Files that PGlite expects next to its own code; the executable has everything in one file. */
export async function engineFiles(engine: Promise<Engine>, isMade: boolean) {
  return {
    fsBundle: Bun.file(engineFile('pglite.data')),
    pgliteWasmModule: await engine,
    // Only a new directory needs it.
    ...(!isMade && { initdbWasmModule: await compile('initdb.wasm') }),
  }
}

/** Read synchronously: a busy thread would get to an asynchronous result only later. */
function compile(name: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(readFileSync(engineFile(name)))
}

function engineFile(name: string): string {
  return join(packageHome('@electric-sql/pglite'), 'dist', name)
}
