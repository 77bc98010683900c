import { plugin } from 'bun'

/** Loaded before Weir: its database server acknowledges commits that aren't on disk. */
plugin({
  name: 'without-sync',
  setup(build) {
    build.onLoad({ filter: /\/storage\/server\/settings\.ts$/ }, async ({ path }) => {
      const contents = (await Bun.file(path).text()).replace("fsync: 'on'", "fsync: 'off'")
      return { contents, loader: 'ts' }
    })
  },
})
