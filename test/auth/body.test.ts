import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { allRoutes, each } from './walk.ts'

let weir: TestWeir

beforeAll(async () => {
  weir = await startTestWeir({ WEIR_TOKEN: 'a-secret-of-sixteen', RATE_LIMIT: '0' })
})

afterAll(() => weir?.close())

/** The status of a request whose body is announced and begun, but never comes. */
function statusWithoutBody(method: string, path: string): Promise<number> {
  const { host, hostname, port } = new URL(weir.url)
  const head = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Content-Type: application/json',
    'Content-Length: 1000',
  ]
  return new Promise((resolve) => {
    let got = ''
    const socket = connect(Number(port), hostname, () => socket.write(`${head.join('\r\n')}\r\n\r\n{"url"`))
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      got += text
      socket.destroy()
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(got)?.[1] ?? 0)))
  })
}

test('a stranger is refused before anything of a body is read', async () => {
  const written = allRoutes().filter(({ method, access }) => method !== 'GET' && access !== 'open')
  const answered: string[] = []
  await each(written, async ({ name, method, path }) => {
    answered.push(`${name} ${await statusWithoutBody(method, path)}`)
  })
  const status = ({ access }: { access: string }) => (access === 'token' ? 404 : 401)
  expect(answered.sort()).toEqual(written.map((route) => `${route.name} ${status(route)}`).sort())
})
