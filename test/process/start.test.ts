import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseConfig } from '../../src/config/config.ts'
import { Address, Closers } from '../../src/context.ts'
import type { QueueEngine } from '../../src/queue/open.ts'
import { Queues } from '../../src/queue/queues.ts'
import { startWeir } from '../../src/weir.ts'

const directory = mkdtempSync(join(tmpdir(), 'weir-start-'))

afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('what was opened last is closed first, once, after what comes beforehand', async () => {
  const closers = new Closers()
  const done: unknown[] = []
  closers.add(() => done.push('storage'))
  closers.add(async () => {
    await Bun.sleep(1)
    done.push('server')
  })
  closers.add(() => done.push('workers'))
  closers.beforehand((failure) => done.push(failure))
  closers.beforehand(() => done.push('drain'))
  await closers.close('why')
  expect(done.splice(0)).toEqual(['why', 'drain', 'workers', 'server', 'storage'])
  await closers.close()
  expect(done).toEqual([undefined, 'drain'])
})

test('whoever asks for a queue waits until the engine is open, or is told why it never will be', async () => {
  const closed: string[] = []
  const queue = (name: string) => ({ on: () => queue(name), close: () => closed.push(name) })
  const engine = async () => ({ queue }) as unknown as QueueEngine
  const open = new Queues({ engine, warn: fail })
  await open.open()
  await open.streams
  open.abandon(new Error('too late'))
  await open.close()
  expect(closed).toEqual(['archive', 'deliveries', 'schedules', 'streams'])
  const never = new Queues({ engine: fail, warn: fail })
  never.abandon(new Error('the port is taken'))
  await expect(never.schedules).rejects.toThrow('the port is taken')
  await expect(never.open()).rejects.toThrow('the port is taken')
  await never.close()
})

test('links lead to the public URL, else to where this process listens, else to its port', () => {
  const config = parseConfig({ PORT: '3210' })
  const address = new Address(config)
  expect([address.url, address.self]).toEqual(['', 'http://localhost:3210'])
  address.listening(4000)
  expect([address.url, address.self]).toEqual(['http://localhost:4000', 'http://localhost:4000'])
  const known = new Address({ ...config, publicUrl: 'https://weir.test/' })
  known.listening(4000)
  expect([known.url, known.self]).toEqual(['http://localhost:4000', 'https://weir.test'])
})

test('a Weir that can’t listen closes what it has opened, and starts where it can', async () => {
  using taken = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  const config = (port: number) => parseConfig({ PORT: `${port}`, DATA_DIR: directory })
  await expect(startWeir(config(taken.port as number), fail)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  const listened: string[] = []
  const weir = await startWeir(config(0), fail, { listening: (url) => void listened.push(url) })
  expect(listened).toEqual([weir.url])
  expect((await fetch(`${weir.url}/readyz`)).status).toBe(200)
  await weir.close()
  await expect(fetch(`${weir.url}/readyz`)).rejects.toThrow()
})

function fail(...reasons: readonly unknown[]): never {
  throw new Error(reasons.join(' '))
}
