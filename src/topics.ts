/** Names of the hub's topics, in one place so that publishers and subscribers agree. */

/** Live entries of a stream, as the API shows them. */
export const entriesTopic = (streamId: string) => `entries:${streamId}`
/** Fragments for whoever looks at a list of streams that shows just these rows. */
export const listPageTopic = (rows: string) => `page:streams:${rows}`
/** Fragments for whoever looks at one stream. */
export const streamPageTopic = (streamId: string) => `page:stream:${streamId}`
/** The same for those who look at a part of its log: as the address of their page has it. */
export const filteredPageTopic = (streamId: string, filter: string) => `page:stream:${streamId}?${filter}`
/** Fragments for whoever looks at any other page: as its address has it, and whom it is for where that differs. */
export const viewTopic = (address: string, name = '') => `page:view:${name}:${address}`
/** What pages show; streams are told of one by one beside that. */
export type Subject = 'streams' | 'channels' | 'incidents' | 'silences'

/** What subscribers of a proxied stream are sent: its changes, or the document whole with each of them. */
export const proxyTopic = (streamId: string, content: 'patches' | 'documents') =>
  `proxy:${content}:${streamId}`
