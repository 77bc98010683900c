import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageHome } from '../files.ts'

/** The embedded database's program. */
export type Engine = WebAssembly.Module

/** Compiles it, beside the calling thread: what that does meanwhile takes no time. */
export function compileEngine(): Promise<Engine> {
  return compile('pglite.wasm')
}

/** What PGlite would look for beside its own code, which the executable has in one file with everything else. */
export async function engineFiles(engine: Promise<Engine>, isMade: boolean) {
  return {
    fsBundle: Bun.file(engineFile('pglite.data')),
    pgliteWasmModule: await engine,
    // Only a new directory needs it.
    ...(!isMade && { initdbWasmModule: await compile('initdb.wasm') }),
  }
}

/** Read at once: a thread that has much to do would come to what was read only later. */
function compile(name: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(readFileSync(engineFile(name)))
}

function engineFile(name: string): string {
  return join(packageHome('@electric-sql/pglite'), 'dist', name)
}
