import { defineConfig } from 'vite'

export default defineConfig({
  // One build works under any path, also inside of another page.
  base: './',
  build: {
    target: 'es2023',
    modulePreload: { polyfill: false },
    // The policy of the page does not allow addresses that carry their data.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  worker: { format: 'es' },
  // The examples are those of the repository.
  server: { fs: { allow: ['..'] } },
})
