/** Names of the hub's topics, in one place so that publishers and subscribers agree. */

/** Live entries of a stream, as the API shows them. */
export const entriesTopic = (streamId: string) => `entries:${streamId}`
/** Fragments for whoever looks at the list of streams. */
export const STREAMS_PAGE_TOPIC = 'page:streams'
/** Fragments for whoever looks at one stream. */
export const streamPageTopic = (streamId: string) => `page:stream:${streamId}`
/** What subscribers of a proxied stream are sent: its changes, or the document whole with each of them. */
export const proxyTopic = (streamId: string, content: 'patches' | 'documents') =>
  `proxy:${content}:${streamId}`
