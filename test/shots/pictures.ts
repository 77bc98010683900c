import type { Picture } from './camera.ts'
import type { Scene } from './scene.ts'

const DESKTOP = { width: 1_280, height: 800 }
const TALL = { width: 1_280, height: 1_500 }
const PHONE = { width: 390, height: 844 }

export function picturesOf({ ids: { feed, change, incident } }: Scene): Picture[] {
  const stream = `/streams/${feed}?range=24h`
  const topology = { path: '/topology?by=group', whole: '#picture svg' }
  return [
    { ...DESKTOP, name: 'home', path: '/' },
    { ...DESKTOP, name: 'streams', path: '/streams?sort=status&order=desc' },
    { ...TALL, name: 'stream', path: stream, whole: '.u-wrap' },
    { ...DESKTOP, name: 'entry', path: `/streams/${feed}/entries/${change}` },
    { ...DESKTOP, name: 'document', path: `/streams/${feed}/document` },
    { ...DESKTOP, name: 'twins', path: '/twins' },
    { ...DESKTOP, ...topology, name: 'topology' },
    { ...DESKTOP, name: 'incidents', path: '/incidents' },
    { ...DESKTOP, name: 'incident', path: `/incidents/${incident}` },
    { ...DESKTOP, name: 'channels', path: '/channels' },
    { ...DESKTOP, name: 'settings', path: '/settings' },
    { ...PHONE, name: 'home-phone', path: '/' },
    { ...PHONE, name: 'streams-phone', path: '/streams?sort=status&order=desc' },
    { ...PHONE, name: 'stream-phone', path: stream, whole: '.u-wrap' },
  ]
}
