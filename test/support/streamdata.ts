import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * The published SDK of Streamdata.io. Its dependencies point to Git repositories, but its bundle contains them, so it
 * is downloaded as a package instead of installed.
 */
const SDK = 'streamdataio-js-sdk@2.0.2'
const INTEGRITY =
  'sha512-Fw0Y5owXy1aTEqOy1YTtZIFEDTg32PeTkAK2X3k3rVSZkLx2KHvswzbV17CvC6zzuvfXFJo4AVxo9RazzHKzbQ=='
const BUNDLE = 'package/dist/bundles/streamdataio-node.js'

/** The part that the tests use. */
export interface StreamdataSdk {
  createEventSource(url: string, appToken: string, headers?: string[]): StreamdataSource
}

export interface StreamdataSource {
  server: { protocol: string; hostname: string; port: string | number }
  onOpen(callback: () => void): StreamdataSource
  onData(callback: (data: unknown) => void): StreamdataSource
  onPatch(callback: (patch: unknown) => void): StreamdataSource
  onError(callback: (error: { type: string; message: string; status: number }) => void): StreamdataSource
  onMonitor(callback: (data: unknown) => void): StreamdataSource
  open(): StreamdataSource
  close(): void
  isConnected(): boolean
}

export const NPM = Bun.which('npm')

/** Downloads the SDK, verifies that it is the published one, and loads it. */
export async function loadStreamdataSdk(): Promise<StreamdataSdk> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-sdk-'))
  try {
    const [name] = (await run(directory, 'npm', 'pack', SDK, '--silent')).trim().split('\n').slice(-1)
    const archive = join(directory, name as string)
    const digest = new Bun.CryptoHasher('sha512').update(await Bun.file(archive).bytes()).digest('base64')
    if (`sha512-${digest}` !== INTEGRITY) throw new Error(`${SDK} is not the one that was published`)
    await run(directory, 'tar', '-xzf', archive)
    return require(join(directory, BUNDLE)) as StreamdataSdk
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function run(cwd: string, ...command: string[]): Promise<string> {
  const child = Bun.spawn(command, { cwd, stdout: 'pipe', stderr: 'pipe' })
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')}: ${errors}`)
  return output
}
