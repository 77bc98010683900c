/** Reads an answer of lines of JSON as they come. @throws Error with what Weir says where it refused */
export async function readLines<Line>(response: Response, tell: (lines: Line[]) => void): Promise<void> {
  if (!response.ok || response.body === null) {
    const problem = (await response.json().catch(() => undefined)) as { detail?: string } | undefined
    throw new Error(problem?.detail ?? 'Weir did not do that.')
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (rest + value).split('\n')
    rest = lines.pop() ?? ''
    if (lines.length > 0) tell(lines.map((line) => JSON.parse(line) as Line))
  }
}
