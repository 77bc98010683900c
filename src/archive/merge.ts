/**
 * Merges two sequences by `seq`; duplicates are taken from the first one.
 * @param newestFirst whether both are in descending order
 */
export async function* mergeBySeq<T extends { seq: number }>(
  first: AsyncIterable<T>,
  second: AsyncIterable<T>,
  newestFirst = false,
): AsyncGenerator<T> {
  const sides = [first[Symbol.asyncIterator](), second[Symbol.asyncIterator]()] as const
  const isBefore = (a: number, b: number) => (newestFirst ? a > b : a < b)
  try {
    let [left, right] = await Promise.all([sides[0].next(), sides[1].next()])
    while (!left.done || !right.done) {
      if (right.done || (!left.done && !isBefore(right.value.seq, left.value.seq))) {
        const { seq } = left.value
        yield left.value
        left = await sides[0].next()
        if (!right.done && right.value.seq === seq) right = await sides[1].next()
      } else {
        yield right.value
        right = await sides[1].next()
      }
    }
  } finally {
    await Promise.all(sides.map(async (side) => await side.return?.()))
  }
}
