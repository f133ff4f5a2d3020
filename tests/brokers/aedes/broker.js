'use strict'
// aedes with its sessions in a folder: node broker.js PORT FOLDER
const { createServer } = require('net')
const { Level } = require('level')
const aedes = require('aedes')
const persistence = require('aedes-persistence-level')

const [port, folder] = process.argv.slice(2)
const db = new Level(folder, { valueEncoding: 'binary' })
const broker = aedes({ persistence: persistence(db) })
createServer(broker.handle).listen(Number(port), '127.0.0.1')
process.on('SIGTERM', () => db.close(() => process.exit(0)))
