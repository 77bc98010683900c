import { causeOf, Problem } from '../../errors.ts'
import { isDamage, WAY_BACK } from '../../storage/errors/damage.ts'
import { outageOf, outageProblem } from '../../storage/errors/outage.ts'

type Warn = (message: string, error?: unknown) => void

/**
 * The answer to whatever an operation throws, which is also logged: an outage in one line, a bug with its stack.
 * @param what for the log
 */
export function problemOf(error: unknown, what: string, warn: Warn): Problem {
  if (error instanceof Problem) return error
  if (isDamage(error)) return new Problem('damaged', `The database is damaged. ${WAY_BACK}`)
  const outage = outageOf(error)
  if (outage === undefined) {
    warn(what, error)
    return new Problem('internal', 'Internal error. See the log of Weir.')
  }
  warn(`${what}: ${causeOf(error)}`)
  return outageProblem(outage)
}
