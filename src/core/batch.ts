/**
 * Combines concurrent calls into one: a thousand streams' simultaneous queries become one statement.
 * @param run does the work for all items of a batch; returns results in their order
 * @param maxItems most items of one batch; further ones form the next, which waits for this one
 */
export function batched<Item, Answer>(
  run: (items: readonly Item[]) => Promise<readonly Answer[]>,
  maxItems: number,
): (item: Item) => Promise<Answer> {
  interface Waiting {
    item: Item
    answered: PromiseWithResolvers<Answer>
  }
  const waiting: Waiting[] = []
  let running = false

  return (item) => {
    const answered = Promise.withResolvers<Answer>()
    waiting.push({ item, answered })
    if (!running) {
      running = true
      // After the current turn of the event loop, so that all its calls go together.
      setTimeout(() => void drain(), 0)
    }
    return answered.promise
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, maxItems)
      try {
        const answers = await run(batch.map(({ item }) => item))
        for (const [index, { answered }] of batch.entries()) answered.resolve(answers[index] as Answer)
      } catch (error) {
        for (const { answered } of batch) answered.reject(error)
      }
    }
    running = false
  }
}
