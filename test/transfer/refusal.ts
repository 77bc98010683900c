import { Problem } from '../../src/errors.ts'

/** The problem that something is refused with. */
export async function refusalOf(
  act: () => unknown,
): Promise<{ code: string; detail: string; field?: string }> {
  try {
    await act()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const { code, detail, field } = error
    return { code, detail, ...(field !== undefined && { field }) }
  }
  throw new Error('It was taken')
}
