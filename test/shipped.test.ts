import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { engines } from '../package.json'
import { parseConfig } from '../src/config/config.ts'

const ROOT = join(import.meta.dir, '..')
const read = (path: string) => Bun.file(join(ROOT, path)).text()

test('the image is built with the required Bun, isn’t run as root, and has a health check', async () => {
  const steps = (await read('Dockerfile')).split('\n').filter((line) => /^[A-Z]+ /.test(line))
  const bun = engines.bun.replace('>=', '')
  expect(steps[0]).toBe(`FROM oven/bun:${bun}-slim AS build`)
  const last = steps.slice(steps.findLastIndex((step) => step.startsWith('FROM ')))
  expect(last.find((step) => step.startsWith('USER '))).toMatch(/^USER [1-9]\d+$/)
  expect(last.find((step) => step.startsWith('HEALTHCHECK '))).toEndWith('CMD ["weir", "health"]')
  const settings =
    last
      .find((step) => step.startsWith('ENV '))
      ?.slice(4)
      .split(' ') ?? []
  const environment = Object.fromEntries(settings.map((each) => each.split('=') as [string, string]))
  // It listens to others, so it must not start without a token.
  expect(() => parseConfig(environment)).toThrow(/WEIR_TOKEN/)
  expect(parseConfig({ ...environment, WEIR_TOKEN: 'a-secret-for-this-test' })).toMatchObject({
    dataDir: '/data',
  })
})

test('CI runs the same checks, with the same Bun', async () => {
  const { jobs } = Bun.YAML.parse(await read('.github/workflows/ci.yaml')) as {
    jobs: Record<string, { steps: { run?: string; with?: Record<string, string> }[] }>
  }
  const runs = Object.values(jobs).flatMap(({ steps }) => steps.map(({ run }) => run ?? ''))
  expect(runs.some((run) => run.endsWith('./.ci/run'))).toBe(true)
  expect(runs).toContain('bun audit')
  const bun = engines.bun.replace('>=', '')
  expect(await read('.ci/run')).toContain(`bun@${bun} `)
  expect(jobs.audit?.steps.find((step) => step.with)?.with).toEqual({ 'bun-version': bun })
})

/** Images whose digest isn't known yet, each with its exact version. */
const WITHOUT_DIGEST: ReadonlySet<string> = new Set([`oven/bun:${engines.bun.replace('>=', '')}-slim`])
const DIGEST = /^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/
/** What a tag of a version looks like, as opposed to one that moves. */
const VERSION = /:v?\d+(\.\d+)+(-[\w.]+)?$/

function isPinnedImage(image: string): boolean {
  return DIGEST.test(image) || (WITHOUT_DIGEST.has(image) && VERSION.test(image))
}

test('every image is pinned', async () => {
  const { services } = Bun.YAML.parse(await read('compose.yaml')) as {
    services: Record<string, { image?: string; build?: string }>
  }
  // What is built here is named by what it's built of.
  const composed = Object.values(services).flatMap(({ image, build }) => (build ? [] : [image ?? '']))
  const built = [...(await read('Dockerfile')).matchAll(/^(?:FROM|COPY --from=)\s*(\S+)/gm)]
    .map(([, image]) => image as string)
    .filter((image) => image !== 'build')
  expect(composed.length + built.length).toBe(5)
  expect([...composed, ...built].filter((image) => !isPinnedImage(image))).toEqual([])
})

test.each([
  [`postgres:18-alpine@sha256:${'a'.repeat(64)}`, true],
  ['postgres:18.4-alpine', false],
  ['postgres', false],
  ['postgres:latest', false],
  [`postgres@sha256:${'a'.repeat(64)}`, false],
  [`postgres:18@sha256:${'a'.repeat(63)}`, false],
  ['oven/bun:slim', false],
])('%s is a pinned image: %p', (image, isPinned) => {
  expect(isPinnedImage(image)).toBe(isPinned)
})

test('every action is pinned to a commit with its version, and runs on a named system', async () => {
  const files = [...new Bun.Glob('.github/workflows/*.{yml,yaml}').scanSync({ cwd: ROOT, dot: true })]
  const lines = (await Promise.all(files.map(read))).flatMap((text) => text.split('\n'))
  const used = lines.filter((line) => /\buses:/.test(line))
  expect(used.length).toBeGreaterThan(3)
  expect(used.filter((line) => !/uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([])
  expect(lines.filter((line) => /runs-on:.*latest/.test(line))).toEqual([])
})

const analyze = Bun.which('systemd-analyze')
// Not skipped elsewhere: there is nothing that it could say there.
const onSystemd = analyze === null ? () => {} : test
onSystemd('systemd understands the unit, and finds little that it could still be denied', async () => {
  // Its program is put where every machine has one.
  const unit = (await read('ops/weir.service')).replace('/usr/local/bin/weir', '/bin/true')
  const file = join(process.env.TMPDIR ?? '/tmp', `weir-${crypto.randomUUID()}.service`)
  await Bun.write(file, unit)
  try {
    const verify = Bun.spawnSync([analyze as string, 'verify', file])
    expect([verify.exitCode, verify.stderr.toString()]).toEqual([0, ''])
    const { stdout } = Bun.spawnSync([analyze as string, 'security', '--offline=true', file])
    expect(Number(/exposure level for \S+: ([\d.]+)/.exec(stdout.toString())?.[1])).toBeLessThan(2)
  } finally {
    await Bun.file(file).delete()
  }
})
