//! The peer: socketioxide on axum, the same application as peers/socketio, one thread.

use axum::{Router, serve::ListenerExt};
use serde::Deserialize;
use serde_json::{Value, json};
use socketioxide::{
    SocketIo, TransportType,
    extract::{AckSender, Data, SocketRef},
};

#[derive(Deserialize)]
struct Join {
    uid: String,
    #[serde(default)]
    rooms: Vec<String>,
}

async fn join(socket: SocketRef, Data(form): Data<Join>, ack: AckSender) {
    socket.join(form.uid.clone());
    socket.join(form.rooms);
    ack.send(&json!({"ok": true, "uid": form.uid})).ok();
}

async fn chat(socket: SocketRef, Data(envelope): Data<Value>, ack: AckSender) {
    let to = envelope["To"].as_str().unwrap_or_default().to_owned();
    socket.within(to).emit("chat", &envelope).await.ok();
    ack.send(&json!({"ok": true, "MsgID": envelope["MsgID"]})).ok();
}

async fn on_connect(socket: SocketRef) {
    socket.on("join", join);
    socket.on("chat", chat);
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let (layer, io) = SocketIo::builder()
        .transports([TransportType::Websocket])
        .build_layer();
    io.ns("/", on_connect);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let listener = listener.tap_io(|stream| {
        stream.set_nodelay(true).ok();
    });
    axum::serve(listener, Router::new().layer(layer)).await
}
