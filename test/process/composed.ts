import { rmSync } from 'node:fs'
import { parseConfig } from '../../src/config/config.ts'
import { Closers, type Context, openContext } from '../../src/context.ts'
import { faultsOnly } from '../../src/observe/log.ts'
import { buildParts, type Parts } from '../../src/parts.ts'
import { newDataDir } from '../support/data-dir.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

export const TOKEN = 'a-token-of-these-tests'
/** Headers of the owner. */
export const OWNER = { Authorization: `Bearer ${TOKEN}` }

/** The real parts of a Weir that others can reach, without workers: a test makes each of them do its work. */
export interface Composed {
  context: Context
  parts: Parts
  /** The only destination that is allowed; also the public URL. */
  upstream: Upstream
  /** An S3 service, an inner service of the network: allowed for the archive alone. */
  inner: Upstream
  warnings: string[]
  close(): Promise<void>
}

export async function compose(environment: Record<string, string> = {}): Promise<Composed> {
  const upstream = startUpstream()
  const inner = startUpstream()
  const dataDir = await newDataDir('weir-composed-')
  const warnings: string[] = []
  const config = parseConfig({
    ...{ DATA_DIR: dataDir, PORT: '0', WEIR_TOKEN: TOKEN, PUBLIC_URL: `${upstream.url}/` },
    // Behind a proxy, Weir isn't local: destinations are checked.
    ...{ TRUST_PROXY: '127.0.0.1', ALLOW_HOSTS: new URL(upstream.url).host },
    ...environment,
    ...{ S3_ENDPOINT: inner.url, S3_BUCKET: 'weir', S3_ACCESS_KEY_ID: 'mine', S3_SECRET_ACCESS_KEY: 'hush' },
  })
  const warn = (message: string, error?: unknown) => void warnings.push(`${message} ${error ?? ''}`)
  const closers = new Closers()
  const context = await openContext(config, warn, closers, { log: faultsOnly(warn) })
  const parts = buildParts(context, undefined)
  return {
    ...{ context, parts, upstream, inner, warnings },
    async close() {
      await closers.close()
      await upstream.stop()
      await inner.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
