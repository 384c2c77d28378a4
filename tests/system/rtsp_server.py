"""Serves pictures as a looped RTSP clip, with GStreamer's RTSP server; run by Debian's own Python, which has its bindings.

    /usr/bin/python3 rtsp_server.py FOLDER WIDTH HEIGHT FPS [PORT [USER PASSWORD [CODEC]]]

FOLDER holds 000.jpg, 001.jpg, …, all of one size. CODEC is jpeg, or h264. Prints the port once it serves.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

# Encoders with what carries their pictures. A camera repeats its H.264 parameters and whole pictures as often as this.
ENCODERS = {
    "jpeg": "jpegenc ! rtpjpegpay",
    "h264": "videoconvert ! openh264enc gop-size=10 ! h264parse ! rtph264pay config-interval=1",
}


def main() -> None:
    folder, width, height, fps, *more = sys.argv[1:]
    codec = more[3] if len(more) > 3 else "jpeg"
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(more[0] if more else "0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( multifilesrc location={folder}/%03d.jpg loop=true "
        f"caps=image/jpeg,width={width},height={height},framerate={fps}/1 ! jpegdec ! {ENCODERS[codec]} name=pay0 )"
    )
    if len(more) >= 3:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(more[1], more[2]), token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/line", factory)
    if server.attach(None) == 0:
        sys.exit("The port cannot be listened on.")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
