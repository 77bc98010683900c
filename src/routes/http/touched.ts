import type { Subject } from '../../topics.ts'

const SUBJECTS: Readonly<Record<string, Subject>> = {
  channels: 'channels',
  deliveries: 'channels',
  incidents: 'incidents',
  silences: 'silences',
}

/** What a request that was carried out may have changed of what pages show; streams say so themselves. */
export function touchedBy({ method, url }: Request): Subject | undefined {
  if (method === 'GET' || method === 'HEAD') return undefined
  const [, first = '', second = ''] = new URL(url).pathname.split('/')
  return SUBJECTS[first === 'api' ? second : first]
}
