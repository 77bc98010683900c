/**
 * A body that is made as its reader takes it.
 * @param ended told once, however it ends: all is read, its reader has left, or it couldn't be made
 */
export function streamed(parts: AsyncGenerator<string>, ended: () => void): ReadableStream<Uint8Array> {
  const utf8 = new TextEncoder()
  let hasLeft = false
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await parts.next()
        if (hasLeft) return
        if (!done) return controller.enqueue(utf8.encode(value))
      } catch (error) {
        ended()
        throw error
      }
      ended()
      controller.close()
    },
    async cancel() {
      hasLeft = true
      ended()
      await parts.return(undefined)
    },
  })
}
