/** Something didn't settle in time. */
export class Late extends Error {}

/**
 * The result of a promise, if it settles in time.
 * @throws Late; or what the promise throws
 */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Late(`no response within ${ms / 1_000} s`)), ms)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
