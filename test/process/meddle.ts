// Preloaded into a Weir by tests: makes what takes long or is rare happen at once, and says what it sees.
const { MEDDLE = '', FORCED_AFTER_MS = '' } = process.env

const { on } = process
process.on = ((name: string, listener: () => void) => {
  if (name === 'SIGTERM') console.log('meddle: it handles SIGTERM')
  return on.call(process, name as never, listener)
}) as typeof process.on

process.on('exit', () => {
  console.log(`meddle: umask ${process.umask().toString(8)}, PGPASSWORD ${process.env.PGPASSWORD}`)
})

if (MEDDLE.includes('large')) {
  const usage = () => {
    throw new Error('no usage')
  }
  process.memoryUsage = Object.assign(usage, { rss: () => 8_000_000_000 })
  let collected = 0
  Bun.gc = (isForced) => {
    if (isForced) console.log(`meddle: collected ${++collected}`)
    return 0
  }
}
if (MEDDLE.includes('fail')) Bun.sleep = () => Promise.reject(new Error('nothing works'))
if (MEDDLE.includes('hang')) {
  const { setTimeout: real } = globalThis
  globalThis.setTimeout = ((act: () => void, ms?: number, ...rest: unknown[]) => {
    if (ms !== Number(FORCED_AFTER_MS)) return real(act, ms, ...(rest as []))
    console.log('meddle: it will be forced')
    return real(MEDDLE.includes('now') ? act : () => {}, 0)
  }) as typeof setTimeout
}
