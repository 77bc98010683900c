import type { Subject } from '../../topics.ts'

const SUBJECTS: Readonly<Record<string, Subject>> = {
  channels: 'channels',
  deliveries: 'channels',
  incidents: 'incidents',
  silences: 'silences',
}

/** What pages show that a completed request may have changed; streams report their changes themselves. */
export function touchedBy({ method, url }: Request): Subject | undefined {
  if (method === 'GET' || method === 'HEAD') return undefined
  const [, first = '', second = ''] = new URL(url).pathname.split('/')
  return SUBJECTS[first === 'api' ? second : first]
}
