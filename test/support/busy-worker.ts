/** A worker that has no end of its first job. */
declare const self: Worker

export {}

self.onmessage = () => {
  for (;;) Math.random()
}
