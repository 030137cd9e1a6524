# A formula for a tap: OWNER, the release and its SHA-256 are put in when it is published.
class Qvm < Formula
  desc "Deterministic AArch64 emulator with a hypervisor model"
  homepage "https://github.com/OWNER/qvm"
  url "https://github.com/OWNER/qvm/archive/refs/tags/v0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "GPL-2.0-only"
  head "https://github.com/OWNER/qvm.git", branch: "main"

  depends_on "cmake" => :build
  depends_on "pkgconf" => :build
  depends_on "python@3.13" => :build
  depends_on "capstone"
  depends_on "dtc"
  depends_on "unicorn"
  depends_on "xxhash"
  depends_on "zstd"

  uses_from_macos "zlib"

  def install
    system "cmake", "-S", ".", "-B", "build", "-DQVM_TESTS=OFF", *std_cmake_args
    system "cmake", "--build", "build"
    system "cmake", "--install", "build"
  end

  test do
    # mov x0, #8; movk x0, #0x8400, lsl #16; hvc #0: PSCI's SYSTEM_OFF
    (testpath/"off.bin").binwrite [0xd2800100, 0xf2b08000, 0xd4000002].pack("V*")
    output = shell_output("#{bin}/qvm run ram 0x40000000,1M load off.bin 2>&1")
    assert_match "the guest powered off; 3 instructions", output
  end
end
