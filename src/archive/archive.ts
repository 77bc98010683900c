import type { Config } from '../config/settings.ts'
import { Problem } from '../errors.ts'
import type { Day } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { Bucket, type BucketOptions } from './bucket.ts'
import { mayDrop } from './days.ts'
import { ArchiveReader } from './reader.ts'
import { type ArchiveReport, archiveReport } from './report.ts'
import { archiveClosedDays, archiveWhenDue } from './run.ts'
import { type TriedStep, tryBucket } from './try-bucket.ts'

type Settings = Pick<
  Config,
  's3Endpoint' | 's3Bucket' | 's3Region' | 's3AccessKeyId' | 's3SecretAccessKey' | 's3Prefix'
>

export interface ArchiveOptions extends BucketOptions {
  db: Database
  config: Settings
  /** Asks for a worker to call {@link Archive.run} soon; does nothing while one is running. */
  runLater(): Promise<void>
  now(): number
  random(): number
  /** Called for errors in Weir itself. */
  warn(message: string, error?: unknown): void
}

/** The log by day on S3: {@link run} writes it, {@link reader} reads it. */
export class Archive {
  readonly reader: ArchiveReader
  readonly #bucket: Bucket | undefined
  readonly #options: ArchiveOptions

  constructor(options: ArchiveOptions) {
    this.#options = options
    this.#bucket = bucketOf(options.config, options)
    this.reader = new ArchiveReader({ db: options.db, bucket: this.#bucket })
  }

  report(): Promise<ArchiveReport> {
    return archiveReport({ ...this.#options, bucket: this.#bucket })
  }

  /** Archives closed days in this process. If a day can't be archived, its row says why. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#bucket === undefined) return
    await archiveClosedDays({ ...this.#options, bucket: this.#bucket, reader: this.reader }, signal)
  }

  /** @throws Problem `conflict` if no bucket is configured */
  async runLater(): Promise<void> {
    this.#configured()
    await this.#options.runLater()
  }

  async runWhenDue(): Promise<void> {
    if (this.#bucket !== undefined) await archiveWhenDue(this.#options, this.#options.runLater)
  }

  /**
   * Checks whether the bucket is usable.
   * @throws Problem `conflict` if none is configured
   */
  try(signal: AbortSignal): Promise<TriedStep[]> {
    return tryBucket(this.#configured(), signal, this.#options.now)
  }

  /** Whether a day may be dropped from the database; any day may if no archive is configured. See {@link mayDrop}. */
  async mayDrop(db: Database, day: Day): Promise<boolean> {
    return this.#bucket === undefined || mayDrop(db, day)
  }

  close(): void {
    this.reader.close()
  }

  #configured(): Bucket {
    if (this.#bucket !== undefined) return this.#bucket
    throw new Problem(
      'conflict',
      "The archive isn't configured. Set S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.",
    )
  }
}

/** Either all settings are given or none. */
function bucketOf(config: Settings, options: BucketOptions): Bucket | undefined {
  const { s3Endpoint, s3Bucket, s3Region, s3AccessKeyId, s3SecretAccessKey, s3Prefix } = config
  if (!s3Endpoint || !s3Bucket || !s3AccessKeyId || !s3SecretAccessKey) return undefined
  const settings = {
    endpoint: s3Endpoint,
    bucket: s3Bucket,
    region: s3Region,
    accessKeyId: s3AccessKeyId,
    secretAccessKey: s3SecretAccessKey,
    prefix: s3Prefix,
  }
  const { timeoutMs, fetch } = options
  return new Bucket(settings, { timeoutMs, fetch })
}
