import 'carried-files'
import { version } from '../../package.json'
import { restartWith, takeEnvironment } from '../environment.ts'

/** Bun reads the limit on concurrent requests before any program runs, so it can only be set from outside. */
const MOST_REQUESTS = { BUN_CONFIG_MAX_HTTP_REQUESTS: '65336' }
/** Timeout of `weir health`, in milliseconds. */
const HEALTH_MS = 4_000

const [command, ...rest] = process.argv.slice(2)
if (command === 'serve' || command === 'sim') {
  restartWith(MOST_REQUESTS, process.argv.slice(2))
  // The programs expect arguments after their own name.
  process.argv.splice(2, 1)
}

if (command === '--version' || command === '-v') console.log(version)
else if (command === 'health') process.exit((await isReady()) ? 0 : 1)
else if (command === 'serve' && rest.length > 0) {
  console.error(`weir serve takes its settings from the environment, not "${rest.join(' ')}".`)
  process.exit(2)
} else if (command === 'serve') await import('../main.ts')
else if (command === 'sim') await import('../sim/main.ts')
else await import('../cli/main.ts')

/** Whether the local Weir on PORT is ready, for containers. */
async function isReady(): Promise<boolean> {
  const url = `http://127.0.0.1:${takeEnvironment().PORT ?? 3000}/readyz`
  return fetch(url, { signal: AbortSignal.timeout(HEALTH_MS) }).then(
    ({ ok }) => ok,
    () => false,
  )
}
