/** A number that was written to a connected socket. */
export interface SentNumber {
  index: number
  number: number
  /** Milliseconds since the epoch, as everywhere in the journal. */
  at: number
}

/** An answer to a poll. */
export interface Answer {
  index: number
  /** The value of its `Request-Id`. */
  id: string
  status: number
  version: number
  /** Whether no fault kept back part of it. */
  isWhole: boolean
  at: number
}

/** Every number of a source that was written to a connected socket, with the instants when it was. */
export type Sent = Map<number, number[]>

/** What the upstream did, by the index of its sources. */
export interface Journal {
  sent: Map<number, Sent>
  answers: Map<number, Answer[]>
}

export function sentLine({ index, number, at }: SentNumber): string {
  return `${index} ${number} ${at}\n`
}

export function answerLine({ index, id, status, version, isWhole, at }: Answer): string {
  return `${index} ${id} ${status} ${version} ${isWhole ? 1 : 0} ${at}\n`
}

/** Reads a journal; its last line may be cut. */
export function readJournal(text: string): Journal {
  const journal: Journal = { sent: new Map(), answers: new Map() }
  for (const line of text.split('\n').slice(0, -1)) {
    const words = line.split(' ')
    const index = Number(words[0])
    if (words.length === 3) readSent(journal, index, Number(words[1]), Number(words[2]))
    else readAnswer(journal, index, words)
  }
  return journal
}

function readSent({ sent }: Journal, index: number, number: number, at: number): void {
  const ofSource = sent.get(index) ?? new Map<number, number[]>()
  sent.set(index, ofSource)
  const times = ofSource.get(number)
  if (times === undefined) ofSource.set(number, [at])
  else times.push(at)
}

function readAnswer({ answers }: Journal, index: number, words: string[]): void {
  const [, id = '', status, version, isWhole, at] = words
  const answer = {
    index,
    id,
    status: Number(status),
    version: Number(version),
    isWhole: isWhole === '1',
    at: Number(at),
  }
  const ofSource = answers.get(index)
  if (ofSource === undefined) answers.set(index, [answer])
  else ofSource.push(answer)
}
