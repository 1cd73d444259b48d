// npy, npz, IDX, CIFAR and CSV: known bytes in, known numbers out, hostile bytes refused.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "mgd/core/error.h"
#include "mgd/format/cifar_binary.h"
#include "mgd/format/csv.h"
#include "mgd/format/idx.h"
#include "mgd/format/npy.h"
#include "mgd/format/npz.h"

namespace mgd {
namespace {

template <class F>
std::pair<ExitCode, std::string> error_of(F&& call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {ExitCode::ok, ""};
}

std::string npy(const std::string& descr, const std::string& shape, const std::string& data,
                const std::string& fortran = "False") {
  const std::string header =
      "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 0xff);
  out += static_cast<char>(header.size() >> 8);
  return out + header + data;
}

TEST(Npy, KnownBytes) {
  const NumberArray array = read_npy(npy("<i2", "(2, 1)", std::string("\x01\x00\xff\xff", 4)), "a.npy");
  EXPECT_EQ(array.shape, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(array.number(0), 1);
  EXPECT_EQ(array.number(1), -1);
  EXPECT_EQ(read_npy(npy("<f4", "()", std::string("\x00\x00\x80\x3f", 4)), "a.npy").number(0), 1.0);
  EXPECT_EQ(read_npy(npy("<f8", "(0, 5)", ""), "a.npy").count(), 0);
}

TEST(Npy, Hostile) {
  const auto code = [](const std::string& bytes) {
    return error_of([&] { read_npy(bytes, "a.npy"); }).first;
  };
  EXPECT_EQ(code(npy("|O", "(1,)", "cos")), ExitCode::refused);
  EXPECT_EQ(code(npy("<f4", "(4611686018427387904, 4)", "")), ExitCode::bad_data);
  EXPECT_EQ(code(npy("<f4", "(99999999999999999999,)", "")), ExitCode::bad_data);
  EXPECT_EQ(code(npy("<f4", "(-1,)", "")), ExitCode::bad_data);
  EXPECT_EQ(code(npy(">f4", "(1,)", "1234")), ExitCode::bad_data);
  EXPECT_EQ(code(npy("<f4", "(2, 2)", std::string(16, '1'), "True")), ExitCode::bad_data);
  EXPECT_EQ(code(npy("<f4", "(2,)", "1234567")), ExitCode::bad_data);
  const std::string good = npy("|u1", "(3,)", "abc");
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(code(good.substr(0, size)), ExitCode::bad_data);
}

TEST(Idx, BigEndianIsTurned) {
  const NumberArray array = read_idx(std::string("\0\0\x0b\1\0\0\0\2\1\0\xff\xfe", 12), "a");
  EXPECT_EQ(array.number(0), 256);
  EXPECT_EQ(array.number(1), -2);
}

TEST(Idx, Hostile) {
  for (const std::string& bytes :
       {std::string(), std::string("\1\0\x08\1\0\0\0\0", 8), std::string("\0\0\x08\3\xff\xff\xff\xff", 8),
        std::string("\0\0\x08\2\xff\xff\xff\xff\xff\xff\xff\xff", 12), std::string("\0\0\x07\1\0\0\0\0", 8)})
    EXPECT_EQ(error_of([&] { read_idx(bytes, "a"); }).first, ExitCode::bad_data);
}

TEST(Cifar, Records) {
  std::string record(3073, '\0');
  record[0] = 7;
  record[1] = 10, record[1 + 1024] = 20, record[1 + 2048] = 30;
  const CifarBatch batch = read_cifar_batch(record + record, 10, "a.bin");
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{7, 7}));
  EXPECT_EQ(batch.image(1).at(0, 0, 2), 30);
  record[0] = 10;
  EXPECT_THAT(error_of([&] { read_cifar_batch(record, 10, "a.bin"); }).second,
              testing::HasSubstr("label 10"));
  EXPECT_EQ(error_of([&] { read_cifar_batch("x", 100, "a.bin"); }).first, ExitCode::bad_data);
}

TEST(Csv, HeaderAndPlace) {
  const NumberTable table = read_csv(
      "\xef\xbb\xbf"
      "a,b\r\n1,2.5\r\n\r\n-3,4e2",
      "t.csv");
  EXPECT_EQ(table.header, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(table.values, (std::vector<double>{1, 2.5, -3, 400}));
  EXPECT_EQ(read_csv("1\n2\n", "t.csv").rows, 2);
  EXPECT_EQ(error_of([] { read_csv("1,2\n3\n", "t.csv"); }).second, "t.csv:2: 1 columns, expected 2");
  EXPECT_EQ(error_of([] { read_csv("1,2\n3,nan\n", "t.csv"); }).second,
            "t.csv:2: column 2: got 'nan', expected a finite number");
  EXPECT_EQ(error_of([] { read_csv("", "t.csv"); }).first, ExitCode::bad_data);
}

std::string fixture(const std::string& name) {
  std::ifstream file(std::string(MGD_SOURCE_DIR "/tests/format/fixtures") + "/arrays/" + name,
                     std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Npz, AsNumPyWritesIt) {
  for (const char* name : {"stored.npz", "deflated.npz"}) {
    const std::string bytes = fixture(name);
    const auto arrays = read_npz(bytes, name);
    ASSERT_EQ(arrays.size(), 2u);
    EXPECT_EQ(arrays.at("x_train").shape, (std::vector<std::int64_t>{2, 3, 4}));
    EXPECT_EQ(arrays.at("x_train").number(23), 23);
    EXPECT_EQ(arrays.at("y_train").number(1), -1);
    EXPECT_EQ(error_of([&] { read_npz(bytes.substr(0, bytes.size() - 30), name); }).first,
              ExitCode::bad_data);
    EXPECT_EQ(error_of([&] { read_npz(bytes, name, 100); }).first, ExitCode::bad_data);
  }
}

TEST(Npz, NotAZip) {
  EXPECT_EQ(error_of([] { read_npz("hello", "a.npz"); }).first, ExitCode::bad_data);
}

}  // namespace
}  // namespace mgd
