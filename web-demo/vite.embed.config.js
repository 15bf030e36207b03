import { defineConfig } from 'vite'

// The loader of embedded previews: one small file with a name that stays, beside the page.
export default defineConfig({
  build: {
    target: 'es2023',
    emptyOutDir: false,
    copyPublicDir: false,
    reportCompressedSize: false,
    lib: { entry: 'src/embed.ts', formats: ['iife'], name: 'haproxyIngressPreview', fileName: () => 'embed.js' },
  },
})
