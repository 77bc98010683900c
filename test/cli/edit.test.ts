import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificate } from '../support/tls.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { exportedList } from '../transfer/client.ts'
import { cliOf, onTerminal } from './support.ts'

let weir: TestWeir
let cli: ReturnType<typeof cliOf>

beforeAll(async () => {
  weir = await startTestWeir()
  cli = cliOf(weir.url)
})

afterAll(() => weir.close())

async function registered(name: string) {
  const url = `http://127.0.0.1:9/${name}`
  const headers = { Authorization: 'Bearer old', 'X-Key': 'old' }
  const { id } = await weir.register({ url, kind: 'poll', start: false, name, headers })
  return async () => (await exportedList(weir, 'secrets=true')).find((each) => each.id === id)
}

test('edit changes only the given options, and keeps the stored headers', async () => {
  const stored = await registered('edited')
  const args = [
    '--name',
    'renamed',
    '--interval',
    '5s',
    '-H',
    'x-key: new',
    '--new-url',
    'http://127.0.0.1:9/x',
  ]
  expect(await cli('edit', 'edited', ...args)).toEqual({ code: 0, out: 'Changed "renamed".\n', err: '' })
  expect(await stored()).toMatchObject({
    ...{ name: 'renamed', url: 'http://127.0.0.1:9/x', intervalMs: 5_000 },
    headers: { Authorization: 'Bearer old', 'x-key': 'new' },
  })
})

test('edit declares that an upstream resumes, and takes it back', async () => {
  const stored = await registered('resuming')
  for (const [option, resumes] of [
    ['--resumes', true],
    ['--no-resumes', false],
  ] as const) {
    expect(await cli('edit', 'resuming', option)).toMatchObject({ code: 0, out: 'Changed "resuming".\n' })
    expect(await stored()).toMatchObject({ resumes })
  }
  const both = await cli('edit', 'resuming', '--resumes', '--no-resumes')
  expect(both).toMatchObject({ code: 2, out: '' })
})

test('edit says how requests are sent, with secrets from files, and takes it back', async () => {
  const stored = await registered('signing')
  const directory = mkdtempSync(join(tmpdir(), 'weir-cli-'))
  const { cert, key } = await makeCertificate(30)
  const [auth, certFile, keyFile] = ['auth.json', 'cert.pem', 'key.pem'].map((name) => join(directory, name))
  const digest = { type: 'digest', username: 'me', password: 'a-password' }
  await Bun.write(auth as string, JSON.stringify(digest))
  await Bun.write(certFile as string, cert)
  await Bun.write(keyFile as string, key)
  const files = ['--auth', auth as string, '--cert', certFile as string, '--key', keyFile as string]
  expect(await cli('edit', 'signing', '--cookies', 'stream', '--repeatable', ...files)).toMatchObject({
    code: 0,
  })
  expect(await stored()).toMatchObject({ cookies: 'stream', repeatable: true, auth: digest, tls: { key } })
  const undone = ['--cookies', 'request', '--no-repeatable', '--no-auth', '--no-tls']
  expect(await cli('edit', 'signing', ...undone)).toMatchObject({ code: 0 })
  expect(await stored()).toMatchObject({ cookies: 'request', repeatable: false, auth: null, tls: null })
  expect(await cli('edit', 'signing', '--auth', join(directory, 'none'))).toMatchObject({ out: '' })
  expect(await cli('edit', 'signing', '--auth', certFile as string)).toMatchObject({ code: 2, out: '' })
  rmSync(directory, { recursive: true })
})

test('edit and add set when a stream is dead, and edit restores the default', async () => {
  const stored = await registered('deadly')
  const set = ['--dead-after', '5m', '--dead-after-failures', '4']
  expect(await cli('edit', 'deadly', ...set)).toMatchObject({ code: 0 })
  expect(await stored()).toMatchObject({ deadAfterMs: 300_000, deadAfterFailures: 4 })
  const unset = ['--dead-after', 'default', '--dead-after-failures', 'default']
  expect(await cli('edit', 'deadly', ...unset)).toMatchObject({ code: 0 })
  expect(await stored()).toMatchObject({ deadAfterMs: null, deadAfterFailures: null })
  const added = await cli('add', 'http://127.0.0.1:9/', '--kind', 'poll', '--no-start', '--json', ...set)
  expect(JSON.parse(added.out)).toMatchObject({ deadAfterMs: 300_000, deadAfterFailures: 4 })
  for (const [option, wrong] of [
    ['--dead-after', '5'],
    ['--dead-after-failures', 'often'],
  ] as const) {
    expect(await cli('edit', 'deadly', option, wrong)).toMatchObject({
      ...{ code: 2, err: expect.stringContaining(`${option}: expected`) },
    })
  }
})

test('edit lists the headers that another origin drops, and asks first', async () => {
  const stored = await registered('moved')
  const before = await stored()
  const args = ['edit', 'moved', '--new-url', 'http://127.0.0.1:10/x', '-H', 'X-Key: new']
  const unasked = await cli(...args)
  expect(unasked).toMatchObject({ code: 2, out: '' })
  expect(unasked.err).toMatch(/removed \(Authorization\).*--yes/)
  const asked: string[] = []
  const answer = (yes: boolean) => ({
    url: weir.url,
    ask: async (question: string) => {
      asked.push(question)
      return yes
    },
  })
  expect((await onTerminal(args, answer(false))).code).toBe(130)
  expect(await stored()).toEqual(before as Record<string, unknown>)
  expect(await onTerminal(args, answer(true))).toMatchObject({
    ...{ code: 0, out: 'Changed "moved". Removed headers: Authorization.\n' },
  })
  expect(asked[1]).toMatch(/^Change "moved"\? .*\(Authorization\)/)
  expect((await stored())?.headers).toEqual({ 'X-Key': 'new' })
})

test('edit reports dropped headers to scripts', async () => {
  await registered('scripted')
  const { out } = await cli('edit', 'scripted', '--new-url', 'https://127.0.0.1:9/', '--yes', '--json')
  expect(JSON.parse(out)).toMatchObject({ headers: {}, droppedHeaders: ['Authorization', 'X-Key'] })
})

test('edit without changes is an error', async () => {
  await registered('untouched')
  expect(await cli('edit', 'untouched')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/nothing to change/),
  })
})
