/** A worker that never finishes its first job. */
declare const self: Worker

export {}

self.onmessage = () => {
  for (;;) Math.random()
}
