import { existsSync, mkdirSync } from 'node:fs'
import { NodeFS } from '@electric-sql/pglite/nodefs'

/** The permission bits of everybody but the owner. */
const OF_OTHERS = 0o077

type Init = NodeFS['init']

/** The part of Emscripten's file system that sets file modes. */
interface NodeOps {
  mknod(parent: unknown, name: string, mode: number, device: number): unknown
  setattr(node: unknown, attributes: { mode?: number }): unknown
}

/**
 * Files on disk that only their owner can read. Postgres creates them so; its port requests files that everybody may write,
 * and sets that mode after creating them, which no umask prevents.
 */
export class PrivateFs extends NodeFS {
  constructor(directory: string) {
    if (!existsSync(directory)) mkdirSync(directory, 0o700)
    super(directory)
  }

  override async init(...[database, options]: Parameters<Init>): ReturnType<Init> {
    const { emscriptenOpts } = await super.init(database, options)
    const first = (module: { NODEFS?: { node_ops: NodeOps } }) => {
      if (module.NODEFS !== undefined) keepPrivate(module.NODEFS.node_ops)
    }
    const preRun = [first as never, ...(emscriptenOpts.preRun ?? [])]
    return { emscriptenOpts: { ...emscriptenOpts, preRun } }
  }
}

function keepPrivate(ops: NodeOps): void {
  const { mknod, setattr } = ops
  ops.mknod = (parent, name, mode, device) => mknod(parent, name, mode & ~OF_OTHERS, device)
  ops.setattr = (node, attributes) => {
    const { mode } = attributes
    return setattr(node, mode === undefined ? attributes : { ...attributes, mode: mode & ~OF_OTHERS })
  }
}
