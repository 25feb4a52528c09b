// What clients for browsers expect to find there, and Node 20 does not have.
import WebSocket from 'ws';

globalThis.WebSocket ??= WebSocket;
globalThis.CloseEvent ??= class CloseEvent extends Event {};
