"""Sessions over WebSocket, for asyncio and for threads."""
