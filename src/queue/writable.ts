import type { Queue } from './types.ts'

const KEY = 'weir:writable'

/** Writes to the Redis of a queue: one that is full, or a replica, still answers reads. @throws its refusal */
export async function checkWritable(queue: Queue): Promise<void> {
  const client = await queue.backend.client
  await client.set(KEY, '1')
}
