"""Echo on vsock, with the standard library alone: port 5000, a thread for each connection."""

import socket
import threading

listener = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
listener.bind((socket.VMADDR_CID_ANY, 5000))
listener.listen()
print("listening at", listener.getsockname(), flush=True)


def echo(conn):
    with conn:
        while piece := conn.recv(65536):
            conn.sendall(piece)


while True:
    connection, peer = listener.accept()
    print("from cid", peer[0], flush=True)
    threading.Thread(target=echo, args=(connection,)).start()
