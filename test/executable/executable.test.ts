import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'

const ROOT = join(import.meta.dir, '../..')
/** Loaded by pages or by one another, of each package one. */
const ASSETS = [
  'views/layout/client/console.ts',
  'views/topology/client/picture/picture.ts',
  'views/layout/weir.css',
  'htmx.js',
  'uplot.js',
  'elk-worker.js',
  'mermaid/mermaid.esm.min.mjs',
]

const directory = mkdtempSync(join(tmpdir(), 'weir-executable-'))
const program = join(directory, 'weir')
/** A directory with nothing in it: data goes there. */
const home = join(directory, 'home')
/** A machine that has neither Bun nor anything else. */
const BARE = { PATH: '/nonexistent', HOME: '/nonexistent' }

let upstream: Upstream
beforeAll(async () => {
  mkdirSync(home)
  upstream = startUpstream()
  const build = Bun.spawn([process.execPath, 'ops/build.ts', program], { cwd: ROOT, stderr: 'pipe' })
  expect(await new Response(build.stderr).text()).toBe('')
  expect(await build.exited).toBe(0)
})
afterAll(async () => {
  await upstream.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** Starts of several programs of 200 MB, one after the other: slow beside other work. */
const BUILT_AND_USED_MS = 180_000

test(
  'the executable contains all of Weir: pages, streams, data across restarts, the command line',
  async () => {
    const feed = new Feed()
    const target = upstream.on('/events', () => feed.response({}, 'id: 1\ndata: first\n\n'))
    const first = serve()
    const url = await first.url()
    try {
      const page = await (await fetch(`${url}/`)).text()
      const folder = /\/assets\/v-[0-9a-f]{16}\//.exec(page)?.[0]
      for (const name of ASSETS) {
        const asset = await fetch(`${url}${folder}${name}`)
        expect([name, asset.status]).toEqual([name, 200])
        expect(name.endsWith('.ts') ? await asset.text() : '').not.toContain('interface ')
      }
      const board = await (await fetch(`${url}/jobs`)).text()
      const script = /static\/js\/[^"]+\.js/.exec(board)?.[0]
      expect((await fetch(`${url}/jobs/${script}`)).status).toBe(200)

      expect(await weir(url, 'add', target, '--kind', 'sse', '--name', 'followed')).toMatchObject({ code: 0 })
      await until('its event is in', async () => (await weir(url, 'logs', 'followed')).out.includes('first'))
      // A worker of its own reads what is large.
      const large = upstream.on('/large', (_, hits) => Response.json({ hits, large: 'x'.repeat(100_000) }))
      const polled = ['--kind', 'poll', '--interval', '500ms', '--name', 'large']
      expect(await weir(url, 'add', large, ...polled)).toMatchObject({ code: 0 })
      await until('it is in', async () => (await weir(url, 'logs', 'large')).out.includes('snapshot'))
      // Its servers are processes that it starts from itself.
      await until('it has changed', async () => (await weir(url, 'logs', 'large')).out.includes('patch'))
      const benched = await weir(url, 'bench', 'large', '--subscribers', '2', '--seconds', '1')
      expect(benched).toMatchObject({ code: 0, err: '', out: expect.stringContaining('STREAMING SAVES') })
      expect((await weir(url, 'completion', 'bash')).out).toContain(`${program} __complete`)
    } finally {
      await first.stop()
    }
    expect(first.output()).not.toContain('requests can be open')

    const second = serve()
    const again = await second.url()
    try {
      expect((await weir(again, 'ls')).out).toContain('followed')
      expect((await weir(again, 'logs', 'followed')).out).toContain('first')
      expect(await weir(again, 'backup', join(home, 'backup'))).toMatchObject({ code: 0, err: '' })
    } finally {
      await second.stop()
    }
    const restored = await weir('', 'restore', join(home, 'backup'), '--force')
    expect(restored).toMatchObject({ code: 0, err: '' })
  },
  BUILT_AND_USED_MS,
)

function serve() {
  const child = Bun.spawn([program, 'serve'], {
    cwd: home,
    env: { ...BARE, PORT: '0' },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  let output = ''
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) output += new TextDecoder().decode(chunk)
  }
  const allRead = Promise.all([read(child.stdout), read(child.stderr)])
  return {
    output: () => output,
    url: () =>
      until('it listens', () => {
        if (child.exitCode !== null) throw new Error(output)
        return /listening on (http:\S+)/.exec(output)?.[1]?.replace('localhost', '127.0.0.1')
      }),
    async stop() {
      child.kill('SIGTERM')
      await child.exited
      await allRead
    },
  }
}

async function weir(url: string, ...args: string[]) {
  const child = Bun.spawn([program, ...args], {
    cwd: home,
    env: { ...BARE, WEIR_URL: url },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code: await child.exited, out, err }
}
