import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PeerMissing } from './bench.ts'
import { type Child, startChild } from './child.ts'
import { until } from './measure.ts'
import type { Ask, Told } from './news.ts'
import { freePort } from './sse-source.ts'
import { type MeasuredWeir, register } from './weir.ts'

export const FLOOR = 'bare Bun stream'
/** Shortest polling interval of Weir. */
const POLL_MS = 500

/** A program that sends the same messages to many subscribers. */
export interface Fan {
  readonly name: string
  /** The event stream that it serves. */
  readonly url: string
  /** Roots of its process trees, without the source of the messages. */
  readonly roots: readonly number[]
  /** Maximum messages per second; omitted if there is none. */
  readonly perSecond?: number
  /**
   * Approximate size of what it wraps around a message: messages are shorter by this, so that all programs send the
   * same size.
   */
  readonly envelopeBytes?: number
  /** Whether messages in quick succession are merged. */
  readonly gathers?: boolean
  /** Sends a question to the source of the messages. */
  ask(what: Ask): Promise<Told>
}

/** @param weir starts a Weir, for programs that need one */
type StartFan = (scope: AsyncDisposableStack, weir: () => Promise<MeasuredWeir>) => Promise<Fan>

/** Programs that make their own messages, or have them posted. */
export const PEERS: readonly StartFan[] = [
  (scope) => alone(FLOOR, ['bun', 'bench/subjects/bare-fanout.ts'], scope),
  nchan,
  (scope) => alone('better-sse, Node', [node(), 'bench/subjects/better-sse.mjs'], scope),
]

/** The parts of Weir that fan out. */
export const WEIRS: readonly StartFan[] = [proxy, log, topology]

/** A program that makes its own messages. */
async function alone(name: string, command: readonly string[], scope: AsyncDisposableStack): Promise<Fan> {
  const child = startChild(command, scope)
  const [, port] = await child.said(/listening on (\d+)/)
  return { name, url: `http://127.0.0.1:${port}/`, roots: [child.pid], ask: (what) => child.ask<Told>(what) }
}

/** An API that changes with every poll, at the shortest interval of Weir. */
async function proxy(scope: AsyncDisposableStack, start: () => Promise<MeasuredWeir>): Promise<Fan> {
  const { source, url } = await newsSource(scope, 'document')
  const weir = await start()
  return {
    name: 'Weir, proxy',
    perSecond: 1000 / POLL_MS,
    envelopeBytes: 73,
    url: `${weir.url}/proxy/${url}/document?intervalMs=${POLL_MS}`,
    roots: weir.roots,
    ask: (what) => source.ask<Told>(what),
  }
}

/** The events of a stream that Weir follows, as live log entries. */
async function log(scope: AsyncDisposableStack, start: () => Promise<MeasuredWeir>): Promise<Fan> {
  const { source, url } = await newsSource(scope, 'events')
  const weir = await start()
  await register(weir.url, [{ url: `${url}/events`, kind: 'sse' }])
  const { items } = (await (await fetch(`${weir.url}/api/streams`)).json()) as { items: { id: string }[] }
  await until(
    'the stream is followed',
    async () => (await source.ask<Told & { readers: number }>({ do: 'hush' })).readers > 0,
  )
  return {
    name: 'Weir, live log',
    envelopeBytes: 280,
    url: `${weir.url}/api/streams/${items[0]?.id}/events`,
    roots: weir.roots,
    ask: (what) => source.ask<Told>(what),
  }
}

/** Reports of a program about itself and its calls. */
async function topology(scope: AsyncDisposableStack, start: () => Promise<MeasuredWeir>): Promise<Fan> {
  const weir = await start()
  const { source } = await newsSource(scope, 'calls', `${weir.url}/api/topology`)
  return {
    name: 'Weir, topology',
    gathers: true,
    url: `${weir.url}/api/topology/events`,
    roots: weir.roots,
    ask: (what) => source.ask<Told>(what),
  }
}

/** nginx with nchan: a single worker, so that workers needn't notify each other. */
async function nchan(scope: AsyncDisposableStack): Promise<Fan> {
  const nginx = Bun.which('nginx') ?? (existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : null)
  if (nginx === null) throw new PeerMissing('nginx is not on the PATH')
  if (!existsSync(NCHAN)) throw new PeerMissing('nchan is not installed (Debian: libnginx-mod-nchan)')
  const directory = mkdtempSync(join(tmpdir(), 'weir-bench-nchan-'))
  // nginx drops root privileges and writes here.
  chmodSync(directory, 0o777)
  scope.defer(() => rmSync(directory, { recursive: true, force: true }))
  const port = await freePort()
  writeFileSync(join(directory, 'nginx.conf'), configuration(directory, port))
  const child = startChild([nginx, '-p', directory, '-c', join(directory, 'nginx.conf')], scope)
  // A killed master leaves its worker behind.
  scope.defer(() => child.end('SIGTERM'))
  const origin = `http://127.0.0.1:${port}`
  await until('nginx listens', async () => (await fetch(origin).catch(() => undefined)) !== undefined)
  const { source } = await newsSource(scope, 'post', `${origin}/publish`)
  return {
    name: 'nginx, nchan',
    url: `${origin}/subscribe`,
    roots: [child.pid],
    ask: (what) => source.ask<Told>(what),
  }
}

const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so'

function configuration(directory: string, port: number): string {
  return `load_module ${NCHAN};
daemon off;
pid ${directory}/pid;
error_log ${directory}/errors;
worker_processes 1;
events { worker_connections 12000; }
http {
  access_log off;
  client_body_temp_path ${directory};
  proxy_temp_path ${directory};
  fastcgi_temp_path ${directory};
  uwsgi_temp_path ${directory};
  scgi_temp_path ${directory};
  server {
    listen 127.0.0.1:${port};
    location = /publish { nchan_publisher; nchan_channel_id news; }
    location = /subscribe {
      nchan_subscriber eventsource;
      nchan_channel_id news;
      nchan_subscriber_first_message newest;
    }
  }
}
`
}

async function newsSource(
  scope: AsyncDisposableStack,
  ...what: readonly string[]
): Promise<{ source: Child; url: string }> {
  const source = startChild(['bun', 'bench/subjects/news-source.ts', ...what], scope)
  const [, port] = await source.said(/listening on (\d+)/)
  return { source, url: `http://127.0.0.1:${port}` }
}

function node(): string {
  const path = Bun.which('node')
  if (path === null) throw new PeerMissing('Node is not on the PATH')
  return path
}
