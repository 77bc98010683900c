import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The part that the tests use: the package has no types. */
type S3rver = new (
  options: Record<string, unknown>,
) => {
  httpServer: Server
  run(): Promise<{ port: number }>
  close(): Promise<void>
}

/** A real S3-compatible server that checks every signature; keys and buckets are as in S3rver. */
export interface S3 {
  readonly url: string
  readonly directory: string
  /** The settings for archiving to it. */
  readonly environment: Record<string, string>
  stop(): Promise<void>
}

export const KEY = 'S3RVER'
export const BUCKET = 'weir-archive'

export async function startS3(): Promise<S3> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-s3-'))
  const S3rver = require('@20minutes/s3rver') as S3rver
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory,
    allowMismatchedSignatures: false,
    vhostBuckets: false,
    configureBuckets: [{ name: BUCKET, configs: [] }],
  })
  const { port } = await server.run()
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    directory,
    environment: s3Environment(url),
    async stop() {
      server.httpServer.closeAllConnections()
      await server.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export function s3Environment(endpoint: string): Record<string, string> {
  return {
    S3_ENDPOINT: endpoint,
    S3_BUCKET: BUCKET,
    S3_ACCESS_KEY_ID: KEY,
    S3_SECRET_ACCESS_KEY: KEY,
    S3_PREFIX: 'archive',
  }
}

/** What a server in front of S3 does with a request: responds, hangs, or passes it on. */
export type Meddle = (request: Request, seen: number) => Response | 'hang' | 'pass'

/** A real server in front of S3. */
export interface Front {
  readonly url: string
  /** Requests so far: method, path, and the part of the query that identifies a part of an upload. */
  readonly seen: string[]
  meddle: Meddle
  stop(): Promise<void>
}

/** Starts one. Requests that pass keep their signature, which is for the requested host. */
export function startFront(s3: S3, meddle: Meddle = () => 'pass'): Front {
  const seen: string[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    reusePort: false,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search, searchParams } = new URL(request.url)
      const part = ['uploads', 'partNumber', 'uploadId'].find((name) => searchParams.has(name))
      seen.push(`${request.method} ${pathname}${part ? `?${part}` : ''}`)
      const done = front.meddle(request, seen.length)
      if (done === 'hang') return new Promise<Response>(() => {})
      if (done !== 'pass') return done
      const body = await request.arrayBuffer()
      const headers = new Headers(request.headers)
      return fetch(s3.url + pathname + search, {
        method: request.method,
        headers,
        body: body.byteLength > 0 ? body : undefined,
      })
    },
  })
  const front: Front = {
    url: `http://127.0.0.1:${server.port}`,
    seen,
    meddle,
    stop: () => server.stop(true),
  }
  return front
}

/** The keys of all objects. */
export async function objectsOf({ directory }: S3): Promise<string[]> {
  const files = new Bun.Glob('**/*._S3rver_object').scan({ cwd: join(directory, BUCKET) })
  return (await Array.fromAsync(files)).map((path) => path.replace(/\._S3rver_object$/, '')).sort()
}
