import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'

/** Connects to the database of a running Weir, as Weir does. */
export async function inside<T>(dataDir: string, step: (client: Client) => Promise<T>): Promise<T> {
  const password = readFileSync(join(dataDir, 'postgres.password'), 'utf8').trim()
  const client = new Client({ host: join(dataDir, 'database'), user: 'weir', database: 'weir', password })
  client.on('error', () => {})
  try {
    await client.connect()
    return await step(client)
  } finally {
    await client.end().catch(() => {})
  }
}
